// The micrograph with its picks, tools to zoom, a scale bar; a right click opens the menu.
import { ContextMenu, type Entry } from "../../ui/menu";
import { useHand } from "./hand";
import { useView, type ViewProps } from "./view";

interface Props extends ViewProps {
  add: (x: number, y: number) => void;
  erase: (x: number, y: number, radius: number) => void;
  menu: Entry[];
}

export function Viewer(props: Props) {
  const { path, info, pixel, radius, editing, add, erase } = props;
  const { canvas, view, scale } = useView(props);
  const { width, height } = info;
  const { at, handlers } = useHand({ view, width, height, radius, editing, add, erase });
  const zoom = (by: number) => {
    const el = canvas.current!;
    view.current?.zoom(by, el.clientWidth / 2, el.clientHeight / 2);
  };
  return (
    <div className="viewer">
      <ContextMenu entries={props.menu}>
        <canvas
          ref={canvas}
          tabIndex={0}
          aria-label={`micrograph ${path}`}
          className={editing ? "editing" : ""}
          {...handlers}
        />
      </ContextMenu>
      {pixel > 0 && scale > 0 && <ScaleBar scale={scale} pixel={pixel} />}
      <div className="viewer-tools">
        <button onClick={() => zoom(1.4)} aria-label="zoom in">
          +
        </button>
        <button onClick={() => zoom(1 / 1.4)} aria-label="zoom out">
          −
        </button>
        <button onClick={() => view.current?.fit()} aria-label="show all">
          ⤢
        </button>
        <span className="where">{at}</span>
      </div>
    </div>
  );
}

function ScaleBar({ scale, pixel }: { scale: number; pixel: number }) {
  const wanted = (150 / scale) * pixel,
    power = 10 ** Math.floor(Math.log10(wanted));
  const angst = [5, 2, 1].map(m => m * power).find(s => s <= wanted)!;
  return (
    <div className="scale-bar" style={{ width: (angst / pixel) * scale }}>
      {angst >= 10000 ? `${angst / 10000} µm` : angst >= 10 ? `${angst / 10} nm` : `${angst} Å`}
    </div>
  );
}

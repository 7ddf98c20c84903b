// The micrograph with its picks; RELION's mouse: left adds, middle or Shift-left drag erases, right opens the menu.
import { useEffect, useRef, useState } from "react";
import { address } from "../../api";
import type { MicrographInfo } from "../../types";
import { MicrographCanvas } from "./canvas";

export interface Point {
  x: number;
  y: number;
  fom: number | null;
}
interface Props {
  pid: string;
  path: string;
  info: MicrographInfo;
  pixel: number;
  lowPass: number;
  black: number;
  white: number;
  points: Point[];
  minimum: number | null;
  radius: number;
  editing: boolean;
  grid?: boolean;
  add: (x: number, y: number) => void;
  erase: (x: number, y: number, radius: number) => void;
  menu: { text: string; act: () => void }[];
}

export function Viewer(props: Props) {
  const { pid, path, info, pixel, lowPass, black, white, points, minimum, radius, editing } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<MicrographCanvas | null>(null);
  const hand = useRef({ x: 0, y: 0, moved: false, erasing: false, down: false });
  const [at, setAt] = useState("");
  const [scale, setScale] = useState(0);
  const [menu, setMenu] = useState<{ x: number; y: number } | null>(null);
  useEffect(() => {
    const made = new MicrographCanvas(
      canvas.current!,
      info.width,
      info.height,
      info.tile,
      info.levels,
      (level, column, row) =>
        address(`p/${pid}/micrographs/tile`, {
          path,
          level,
          column,
          row,
          v: info.changed,
          ...(lowPass > 0 ? { low_pass: lowPass, pixel_size: pixel || 1 } : {}),
        }),
    );
    const old = view.current;
    if (old && old.width === made.width && old.height === made.height) {
      made.scale = old.scale;
      made.x = old.x;
      made.y = old.y;
    }
    old?.destroy();
    view.current = made;
    (window as unknown as { verglasViewer: MicrographCanvas }).verglasViewer = made; // for measuring frames
    made.onScale = setScale;
    made.setContrast(black, white);
    const seen = new ResizeObserver(() => made.draw());
    seen.observe(canvas.current!);
    const el = canvas.current!;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      made.zoom(Math.exp(-event.deltaY * 0.0016), event.offsetX, event.offsetY);
    };
    el.addEventListener("wheel", wheel, { passive: false });
    return () => {
      seen.disconnect();
      el.removeEventListener("wheel", wheel);
    };
  }, [pid, path, info, lowPass, pixel]); // eslint-disable-line
  useEffect(() => () => view.current?.destroy(), []);
  useEffect(() => view.current?.setContrast(black, white), [black, white]);
  useEffect(() => {
    const v = view.current;
    if (!v) return;
    v.overlay = {
      radius,
      colour: editing ? "#e69f00" : "#56b4e9",
      circles: points.map(p => ({
        x: p.x,
        y: p.y,
        shown: minimum === null || p.fom === null || p.fom >= minimum,
      })),
    };
    v.draw();
  }, [points, minimum, radius, editing, info, lowPass]);
  useEffect(() => {
    const keys = (event: KeyboardEvent) => {
      const v = view.current;
      if (!v || /^(INPUT|TEXTAREA|SELECT)$/.test((event.target as HTMLElement).tagName)) return;
      const middle = [canvas.current!.clientWidth / 2, canvas.current!.clientHeight / 2] as const;
      if (event.key === "+" || event.key === "=") v.zoom(1.3, ...middle);
      if (event.key === "-") v.zoom(1 / 1.3, ...middle);
      if (event.key === "0") v.fit();
    };
    window.addEventListener("keydown", keys);
    return () => window.removeEventListener("keydown", keys);
  }, []);
  const eraseAt = (event: React.PointerEvent) => {
    const [x, y] = view.current!.toImage(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
    props.erase(x, y, Math.max(radius * 0.7, 8 / view.current!.scale));
  };
  return (
    <div className="viewer">
      <canvas
        ref={canvas}
        tabIndex={0}
        aria-label={`micrograph ${path}`}
        className={editing ? "editing" : ""}
        onPointerDown={event => {
          setMenu(null);
          if (event.button === 2) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const erasing = editing && (event.button === 1 || event.shiftKey);
          hand.current = { x: event.clientX, y: event.clientY, moved: false, erasing, down: true };
          if (erasing) {
            event.preventDefault();
            eraseAt(event);
          }
        }}
        onPointerMove={event => {
          const v = view.current!,
            h = hand.current;
          const [x, y] = v.toImage(event.nativeEvent.offsetX, event.nativeEvent.offsetY);
          setAt(
            x >= 0 && y >= 0 && x < info.width && y < info.height
              ? `${Math.floor(x)}, ${Math.floor(y)}`
              : "",
          );
          if (!h.down) return;
          if (h.erasing) {
            eraseAt(event);
            return;
          }
          const dx = event.clientX - h.x,
            dy = event.clientY - h.y;
          if (!h.moved && Math.hypot(dx, dy) < 4) return;
          h.moved = true;
          h.x = event.clientX;
          h.y = event.clientY;
          v.pan(dx, dy);
        }}
        onPointerUp={event => {
          const h = hand.current;
          h.down = false;
          if (h.moved || h.erasing || event.button !== 0 || !editing) return;
          const [x, y] = view.current!.toImage(
            event.nativeEvent.offsetX,
            event.nativeEvent.offsetY,
          );
          if (x >= 0 && y >= 0 && x < info.width && y < info.height) props.add(x, y);
        }}
        onContextMenu={event => {
          event.preventDefault();
          setMenu({ x: event.nativeEvent.offsetX, y: event.nativeEvent.offsetY });
        }}
      />
      {pixel > 0 && scale > 0 && <ScaleBar scale={scale} pixel={pixel} />}
      <div className="viewer-tools">
        <button
          onClick={() =>
            view.current?.zoom(
              1.4,
              canvas.current!.clientWidth / 2,
              canvas.current!.clientHeight / 2,
            )
          }
          aria-label="zoom in"
        >
          +
        </button>
        <button
          onClick={() =>
            view.current?.zoom(
              1 / 1.4,
              canvas.current!.clientWidth / 2,
              canvas.current!.clientHeight / 2,
            )
          }
          aria-label="zoom out"
        >
          −
        </button>
        <button onClick={() => view.current?.fit()} aria-label="show all">
          ⤢
        </button>
        <span className="where">{at}</span>
      </div>
      {menu && (
        <div className="context-menu menu-list" style={{ left: menu.x, top: menu.y }} role="menu">
          {props.menu.map(each => (
            <button
              key={each.text}
              role="menuitem"
              onClick={() => {
                setMenu(null);
                each.act();
              }}
            >
              {each.text}
            </button>
          ))}
        </div>
      )}
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

// Sections of a map along the three axes with a scale bar, the mask over them; the map where there is no WebGL.
import { address } from "../../api/http";
import { useProject } from "../../context";
import { scaleBar } from "../classes/tile";

// what goes across and up in a section along each axis: as the isosurface above stands
const AXES: [string, string][] = [
  ["z", "x →  y ↑"],
  ["y", "x →  z ↑"],
  ["x", "y →  z ↑"],
];

export function Sections({
  path,
  mask,
  width,
  position,
  setPosition,
}: {
  path: string;
  mask: string;
  width: number; // Å
  position: number;
  setPosition: (share: number) => void;
}) {
  const { pid } = useProject();
  const bar = width > 0 ? scaleBar(width) : 0;
  const src = (of: string, axis: string) =>
    address(`p/${pid}/maps/slice`, { path: of, axis, position: position.toFixed(2) });
  return (
    <>
      <div className="sections">
        {AXES.map(([axis, directions]) => (
          <figure key={axis}>
            <a
              className="section"
              href={src(path, axis)}
              download={`section-${axis}.png`}
              title="a click saves it as PNG"
            >
              <img alt={`section along ${axis}`} src={src(path, axis)} />
              {mask && (
                <i className="section-mask" style={{ maskImage: `url("${src(mask, axis)}")` }} />
              )}
              {bar > 0 && (
                <i className="section-bar" style={{ width: `${(100 * bar) / width}%` }}>
                  {bar >= 10 ? `${bar / 10} nm` : `${bar} Å`}
                </i>
              )}
            </a>
            <figcaption>
              <b>{axis}</b> {directions}
            </figcaption>
          </figure>
        ))}
      </div>
      <label className="slider">
        section at {Math.round(position * 100)} %{" "}
        <input
          type="range"
          min={0}
          max={0.99}
          step={0.01}
          value={position}
          onChange={event => setPosition(Number(event.target.value))}
        />
      </label>
    </>
  );
}

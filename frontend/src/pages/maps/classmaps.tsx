// The maps of a 3D classification side by side: sections, populations, resolutions; two of them are compared.
import { useState } from "react";
import { address } from "../../api/http";
import type { ClassRow, Gallery } from "../../api/types";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { Loading } from "../../ui/parts";
import { count, number } from "../../ui/words";
import { ordered } from "../classes/order";

const AXES = ["z", "y", "x"];

export function ClassMaps({
  model,
  open,
  compare,
  close,
}: {
  model: string;
  open: (path: string) => void;
  compare: (one: string, other: string) => void;
  close: () => void;
}) {
  const { pid } = useProject();
  const found = useData<Gallery>(`p/${pid}/classes/gallery`, { model });
  const [chosen, setChosen] = useState<string[]>([]);
  const rows = found.data?.dimensions === 3 ? found.data.classes : [];
  return (
    <section className="class-maps" aria-label="3D classes">
      <header className="toolbar">
        <h3>3D classes{found.data && rows.length > 0 && `, iteration ${found.data.iteration}`}</h3>
        <span className="grow" />
        <button
          disabled={chosen.length !== 2}
          onClick={() => compare(chosen[0], chosen[1])}
          title="choose two"
        >
          Compare {chosen.length === 2 ? "these two" : "two"}
        </button>
        <button onClick={close}>Back to the map</button>
      </header>
      {found.loading && <Loading what="classes" />}
      {found.error && <p className="hint">{found.error}</p>}
      {found.data && rows.length === 0 && (
        <p className="hint">{model} has no classes in three dimensions.</p>
      )}
      <div className="class-maps-row">
        {ordered(rows, "share", false, true).map(row => (
          <One
            key={row.number}
            row={row}
            changed={found.data!.changed}
            chosen={chosen.includes(row.image)}
            open={() => open(row.image)}
            toggle={() =>
              setChosen(
                chosen.includes(row.image)
                  ? chosen.filter(each => each !== row.image)
                  : [...chosen.slice(-1), row.image],
              )
            }
          />
        ))}
      </div>
    </section>
  );
}

function One({
  row,
  changed,
  chosen,
  open,
  toggle,
}: {
  row: ClassRow;
  changed: number;
  chosen: boolean;
  open: () => void;
  toggle: () => void;
}) {
  const { pid } = useProject();
  const src = (axis: string) =>
    address(`p/${pid}/maps/slice`, { path: row.image, axis, position: 0.5, v: changed });
  const particles = row.particles === null ? "" : `${count(row.particles)} particles · `;
  return (
    <figure className={`class-map${chosen ? " chosen" : ""}${row.empty ? " empty" : ""}`}>
      <button className="plain" onClick={open} title="open this map">
        {AXES.map(axis => (
          <img key={axis} alt={`class ${row.number}, section along ${axis}`} src={src(axis)} />
        ))}
      </button>
      <figcaption>
        <label className="check">
          <input type="checkbox" checked={chosen} onChange={toggle} /> <b>{row.number}</b>
        </label>{" "}
        {row.empty ? (
          "empty"
        ) : (
          <>
            {particles}
            {(row.share * 100).toFixed(1)} %
            {row.resolution_angst !== null && ` · ${number(row.resolution_angst)} Å`}
          </>
        )}
        <i className="share">
          <i style={{ width: `${row.share * 100}%` }} />
        </i>
      </figcaption>
    </figure>
  );
}

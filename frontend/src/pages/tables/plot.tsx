// One column of a table against another, or against the number of the row.
import { useState } from "react";
import type { Block } from "../../api/types";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { PointPlot } from "../../plots/points";
import { Loading, Problem } from "../../ui/parts";

interface Found {
  x: (number | null)[];
  y: (number | null)[];
  step: number;
  rows: number[];
}

export function ColumnPlot({
  path,
  block,
  filters,
}: {
  path: string;
  block: Block;
  filters: string[];
}) {
  const { pid } = useProject();
  const numeric = block.columns.filter(each => each.numeric);
  const [x, setX] = useState("");
  const [y, setY] = useState(
    numeric.find(each => /Defocus|Coordinate|Resolution/.test(each.label))?.label ??
      numeric[0]?.label ??
      "",
  );
  const found = useData<Found>(y ? `p/${pid}/tables/plot` : null, {
    path,
    block: block.name,
    x,
    y,
    filter: filters,
  });
  if (!numeric.length) return <p className="hint">no column of numbers to plot</p>;
  const named = (label: string) => {
    const column = block.columns.find(each => each.label === label);
    return label ? `${label}${column?.unit ? ` (${column.unit})` : ""}` : "row";
  };
  const choice = (name: string, value: string, set: (label: string) => void) => (
    <label>
      {name}{" "}
      <select value={value} onChange={event => set(event.target.value)}>
        {name === "x" && <option value="">row number</option>}
        {numeric.map(each => (
          <option key={each.label}>{each.label}</option>
        ))}
      </select>
    </label>
  );
  return (
    <section className="column-plot">
      <div className="toolbar">
        {choice("y", y, setY)}
        {choice("x", x, setX)}
        {found.data && found.data.step > 1 && (
          <span className="hint">every {found.data.step}th row</span>
        )}
      </div>
      {found.error ? (
        <Problem text={found.error} />
      ) : found.data ? (
        <PointPlot
          x={found.data.x}
          y={found.data.y}
          xTitle={named(x)}
          yTitle={named(y)}
          height={260}
          label={row => `row ${found.data!.rows[row] + 1}`}
        />
      ) : (
        <Loading />
      )}
    </section>
  );
}

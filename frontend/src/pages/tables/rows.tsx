// The rows on screen of a table of any length; beyond what a browser can scroll the bar is scaled.
import { useEffect, useRef, useState } from "react";
import type { Column } from "../../api/types";
import { cell } from "../../ui/words";
import type { RowsOf } from "./use_rows";
import type { View } from "./view";

const ROW = 24,
  VISIBLE = 42,
  MAX_PIXELS = 8_000_000; // browsers refuse taller elements

interface Props {
  columns: Column[]; // shown
  all: Column[];
  rows: RowsOf;
  view: View;
  sortBy: (label: string, descending: boolean) => void;
}

export function Rows({ columns, all, rows, view, sortBy }: Props) {
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const key = JSON.stringify([view.sort, view.descending, view.filters]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
  }, [key]);
  const full = rows.passing * ROW,
    tall = Math.min(full, MAX_PIXELS),
    stretch = tall < full ? (full - 600) / (tall - 600) : 1;
  const first = Math.max(0, Math.floor((top * stretch) / ROW)),
    last = Math.max(first, Math.min(rows.passing - 1, first + VISIBLE - 1));
  const { see } = rows;
  useEffect(() => see(first, last), [see, first, last]);
  const width = columns.map(each =>
    Math.max(each.numeric ? 100 : 280, each.label.length * 7.4 + (each.unit ? 40 : 20)),
  );
  const template = `70px ${width.map(w => `${w}px`).join(" ")}`;
  const places = columns.map(each => all.indexOf(each));
  const shown = Array.from(
    { length: Math.min(VISIBLE, rows.passing - first) },
    (_, i) => first + i,
  );
  return (
    <div
      className="grid scroll"
      ref={box}
      onScroll={event => setTop(event.currentTarget.scrollTop)}
      role="grid"
      aria-label="rows"
      aria-rowcount={rows.passing}
      tabIndex={0}
    >
      <Head columns={columns} template={template} view={view} sortBy={sortBy} />
      <div style={{ height: tall, position: "relative" }} role="rowgroup">
        <div style={{ position: "absolute", top: stretch === 1 ? first * ROW : top, left: 0 }}>
          {shown.map(n => {
            const cells = rows.cells(n),
              number = rows.number(n);
            return (
              <div
                key={n}
                className="grid-row"
                style={{ gridTemplateColumns: template }}
                role="row"
              >
                <span className="hint" role="gridcell">
                  {number === null ? "…" : number + 1}
                </span>
                {cells &&
                  places.map((place, c) => (
                    <span
                      key={columns[c].label}
                      role="gridcell"
                      className={columns[c].numeric ? "num" : ""}
                      title={cells[place]}
                      onCopy={event => {
                        event.clipboardData.setData("text/plain", cells[place]); // whole, not as shown
                        event.preventDefault();
                      }}
                    >
                      {columns[c].numeric ? cell(cells[place]) : cells[place]}
                    </span>
                  ))}
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Head({
  columns,
  template,
  view,
  sortBy,
}: Pick<Props, "columns" | "view" | "sortBy"> & { template: string }) {
  const { sort, descending } = view;
  /** Rising, falling, as in the file. */
  const turn = (label: string) => {
    if (sort !== label) sortBy(label, false);
    else if (descending) sortBy("", false);
    else sortBy(label, true);
  };
  return (
    <div className="grid-head" style={{ gridTemplateColumns: template }} role="row">
      <span role="columnheader">row</span>
      {columns.map(each => (
        <button
          key={each.label}
          role="columnheader"
          title={`${each.label}: ${each.meaning}${each.unit ? ` (${each.unit})` : ""}`}
          aria-sort={sort === each.label ? (descending ? "descending" : "ascending") : "none"}
          onClick={() => turn(each.label)}
        >
          {each.label.replace(/^rln/, "")}
          {each.unit && <small> {each.unit}</small>}
          {sort === each.label ? (descending ? " ↓" : " ↑") : ""}
        </button>
      ))}
    </div>
  );
}

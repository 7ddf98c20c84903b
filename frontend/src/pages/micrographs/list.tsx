// The micrographs of a list: only the rows on screen exist, so ten thousand are as quick as ten.
import { useEffect, useMemo, useRef, useState } from "react";
import { FIGURES } from "../../figures";
import type { Micrographs } from "../../types";
import { baseName, number } from "../../words";

const ROW = 26;

export function MicrographList({
  table,
  index,
  lists,
  choose,
  chooseList,
}: {
  table: Micrographs;
  index: number;
  lists: string[];
  choose: (name: string) => void;
  chooseList: (list: string) => void;
}) {
  const keys = Object.keys(FIGURES).filter(key => table.columns[key]);
  const [sort, setSort] = useState("");
  const [down, setDown] = useState(false);
  const [find, setFind] = useState("");
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const shownKey = sort || keys.find(key => key === "fit_resolution_angst") || keys[0];
  const rows = useMemo(() => {
    let all = table.names.map((_, i) => i);
    if (find) all = all.filter(i => table.names[i].toLowerCase().includes(find.toLowerCase()));
    if (sort) {
      const column = table.columns[sort];
      all.sort((a, b) => (column[a] ?? Infinity) - (column[b] ?? Infinity));
    }
    if (down) all.reverse();
    return all;
  }, [table, sort, down, find]);
  const at = rows.indexOf(index);
  useEffect(() => {
    const el = box.current;
    if (!el || at < 0) return;
    if (at * ROW < el.scrollTop || (at + 1) * ROW > el.scrollTop + el.clientHeight)
      el.scrollTop = at * ROW - el.clientHeight / 2;
  }, [at]);
  const first = Math.max(0, Math.floor(top / ROW) - 5),
    shown = rows.slice(first, first + 60);
  return (
    <aside className="mic-list">
      <select
        value={table.path}
        onChange={event => chooseList(event.target.value)}
        aria-label="list of micrographs"
      >
        {lists.map(each => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
      <div className="row-tools">
        <input
          placeholder="find"
          value={find}
          onChange={event => setFind(event.target.value)}
          aria-label="find a micrograph"
        />
        <select value={sort} onChange={event => setSort(event.target.value)} aria-label="sort by">
          <option value="">as listed</option>
          {keys.map(key => (
            <option key={key} value={key}>
              {FIGURES[key].title}
            </option>
          ))}
        </select>
        <button onClick={() => setDown(!down)} aria-label="reverse order">
          {down ? "↓" : "↑"}
        </button>
      </div>
      <div className="scroll" ref={box} onScroll={event => setTop(event.currentTarget.scrollTop)}>
        <div style={{ height: rows.length * ROW, position: "relative" }}>
          {shown.map((i, n) => {
            const value = shownKey ? table.columns[shownKey][i] : null;
            return (
              <button
                key={i}
                className="mic-row"
                aria-current={i === index ? "true" : undefined}
                style={{ top: (first + n) * ROW }}
                onClick={() => choose(table.names[i])}
                title={table.names[i]}
              >
                <span>{baseName(table.names[i])}</span>
                {shownKey && (
                  <small>
                    {number(value === null ? null : value * (FIGURES[shownKey].scale ?? 1))}{" "}
                    {FIGURES[shownKey].unit}
                  </small>
                )}
              </button>
            );
          })}
        </div>
        {rows.length === 0 && <p className="hint">none fits “{find}”</p>}
      </div>
    </aside>
  );
}

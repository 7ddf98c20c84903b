// The micrographs of a list: only the rows on screen exist, so ten thousand are as quick as ten.
import { useEffect, useMemo, useRef, useState } from "react";
import { unitOf } from "../../figures";
import type { Micrographs } from "../../api/types";
import { baseName, number } from "../../ui/words";

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
  const kinds = useMemo(() => table.kinds.filter(({ key }) => table.columns[key]), [table]);
  const [sort, setSort] = useState("");
  const [down, setDown] = useState(false);
  const [find, setFind] = useState("");
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const shown = kinds.find(({ key }) => key === (sort || "ctf_resolution_angst")) ?? kinds[0];
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
    visible = rows.slice(first, first + 60);
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
          {kinds.map(each => (
            <option key={each.key} value={each.key}>
              {each.title}
            </option>
          ))}
        </select>
        <button onClick={() => setDown(!down)} aria-label="reverse order">
          {down ? "↓" : "↑"}
        </button>
      </div>
      <div className="scroll" ref={box} onScroll={event => setTop(event.currentTarget.scrollTop)}>
        <div style={{ height: rows.length * ROW, position: "relative" }}>
          {visible.map((i, n) => {
            const value = shown ? table.columns[shown.key][i] : null;
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
                {shown && (
                  <small title={shown.title}>
                    {number(value === null ? null : value * shown.shown_scale)} {unitOf(shown)}
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

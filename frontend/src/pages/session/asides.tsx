// Every rejection with its words: choose one, R takes it back (or tries a failed one again), U undoes.
import { useMemo, useRef, useState } from "react";
import { useProject } from "../../context";
import { baseName, count } from "../../ui/words";
import { asideBy, type Sheet } from "./data";
import type { Verdicts } from "./verdicts";

const ROW = 24;

export function Asides({
  sheet,
  chosen,
  choose,
  judge,
  inSelection,
  selected,
}: {
  sheet: Sheet;
  chosen?: number;
  choose: (i: number) => void;
  judge?: Verdicts;
  inSelection: Uint8Array | null;
  selected: string;
}) {
  const { mayChange } = useProject();
  const [kind, setKind] = useState("");
  const [top, setTop] = useState(0);
  const box = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    const found: number[] = [];
    for (let i = sheet.names.length - 1; i >= 0; i--)
      if (sheet.kind[i] && (!kind || sheet.kind[i] === kind) && (!inSelection || inSelection[i]))
        found.push(i);
    return found;
  }, [sheet, kind, inSelection]);
  const counts = useMemo(() => {
    const n: Record<string, number> = {};
    sheet.kind.forEach(each => {
      if (each) n[each] = (n[each] ?? 0) + 1;
    });
    return n;
  }, [sheet]);
  const move = (by: number) => {
    const at = chosen === undefined ? -1 : rows.indexOf(chosen),
      next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    if (next === undefined) return;
    choose(next);
    const y = rows.indexOf(next) * ROW,
      el = box.current!;
    if (y < el.scrollTop) el.scrollTop = y;
    else if (y + ROW > el.scrollTop + el.clientHeight) el.scrollTop = y + ROW - el.clientHeight;
  };
  const first = Math.max(0, Math.floor(top / ROW) - 4),
    part = rows.slice(first, first + 22);
  return (
    <section className="live-panel asides" id="asides" aria-label="set aside">
      <header>
        <h2>
          Set aside{" "}
          <small>
            {count(rows.length)}
            {selected ? ` in ${selected}` : ""}
          </small>
        </h2>
        <span className="grow" />
        <select value={kind} onChange={event => setKind(event.target.value)} aria-label="which">
          <option value="">all</option>
          {Object.entries(counts).map(([key, n]) => (
            <option key={key} value={key}>
              {asideBy(key)} ({count(n)})
            </option>
          ))}
        </select>
      </header>
      {rows.length === 0 ? (
        <p className="hint">{selected ? "None in this selection." : "Nothing is set aside."}</p>
      ) : (
        <div
          className="aside-list"
          ref={box}
          tabIndex={0}
          role="listbox"
          aria-label="movies set aside"
          onScroll={event => setTop(event.currentTarget.scrollTop)}
          onKeyDown={event => {
            if (event.key === "ArrowDown" || event.key === "ArrowUp") {
              event.preventDefault();
              event.stopPropagation();
              move(event.key === "ArrowDown" ? 1 : -1);
            }
          }}
        >
          <div style={{ height: rows.length * ROW, position: "relative" }}>
            {part.map((i, n) => (
              <div
                key={sheet.numbers[i]}
                className={`aside-row${chosen === i ? " chosen" : ""}`}
                style={{ top: (first + n) * ROW }}
                role="option"
                aria-selected={chosen === i}
                onClick={() => choose(i)}
                title={sheet.names[i]}
              >
                <b>{sheet.numbers[i]}</b>
                <span>{baseName(sheet.names[i])}</span>
                <i className={sheet.kind[i]}>{sheet.why[i]}</i>
                {judge &&
                  mayChange &&
                  chosen === i &&
                  (sheet.kind[i] === "failure" ? (
                    <button onClick={() => judge.again(i)}>
                      try again <kbd>R</kbd>
                    </button>
                  ) : (
                    <button onClick={() => judge.accept(i)}>
                      take back <kbd>R</kbd>
                    </button>
                  ))}
              </div>
            ))}
          </div>
        </div>
      )}
    </section>
  );
}

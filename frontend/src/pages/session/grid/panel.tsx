// Grid squares, and the holes of one, coloured by how good they are; a click selects their movies everywhere.
import { useMemo, useState } from "react";
import { usePersisted } from "../../../hooks";
import { count, number } from "../../../ui/words";
import type { Grid, Sheet } from "../data";
import type { Selection } from "../limits/selection";
import { Holes } from "./holes";
import { CIVIDIS, measure, METRICS, spread } from "./measure";
import { Squares } from "./squares";

interface Props {
  grid: Grid;
  sheet: Sheet;
  goodShare: number;
  adds: ReadonlyMap<string, number>; // what squares add to the map, where that is known
  chosen?: number;
  selection: Selection;
}

function useRows(grid: Grid, sheet: Sheet) {
  return useMemo(() => {
    const squares: number[][] = grid.squares.map(() => []),
      holes: number[][] = grid.holes.map(() => []);
    grid.hole_of.forEach((hole, i) => {
      if (hole < 0 || i >= sheet.names.length) return;
      holes[hole].push(i);
      squares[grid.holes[hole].square].push(i);
    });
    return { squares, holes };
  }, [grid, sheet]);
}

export function GridPanel({ grid, sheet, goodShare, adds, chosen, selection }: Props) {
  const [wanted, setMetric] = usePersisted("grid.metric", "accepted");
  const metric = wanted === "adds" && !adds.size ? "accepted" : wanted;
  const [square, setSquare] = useState<number | null>(null);
  const rowsOf = useRows(grid, sheet);
  const group = useMemo(
    () => (rows: number[]) => ({ rows, value: measure(sheet, rows, metric, goodShare) }),
    [sheet, metric, goodShare],
  );
  const squares = useMemo(
    () =>
      metric === "adds"
        ? rowsOf.squares.map((rows, n) => ({
            rows,
            value: adds.get(grid.squares[n].name) ?? null,
          }))
        : rowsOf.squares.map(group),
    [rowsOf, group, metric, adds, grid.squares],
  );
  const open = square ?? (grid.squares.length === 1 ? 0 : null);
  const holes = useMemo(
    () =>
      grid.holes
        .map((hole, n) => ({ hole, n }))
        .filter(({ hole }) => hole.square === open)
        .map(({ hole, n }) => ({ hole, n, ...group(rowsOf.holes[n]) })),
    [open, grid, rowsOf, group],
  );
  const { title, unit } = METRICS[metric];
  const span = spread(open === null ? squares : holes, metric);
  const said = (value: number | null) =>
    value === null ? "nothing judged yet" : `${number(value)} ${unit}`;
  const kept = (rows: number[]) => rows.some(i => selection.shown[i]);
  const { setPlace } = selection,
    place = selection.place?.text ?? "";
  const select = (text: string, rows: number[]) => setPlace({ text, rows });
  const chosenHole = chosen !== undefined ? (grid.hole_of[chosen] ?? -1) : -1;
  const nameOf = (n: number) => `square ${grid.squares[n].name}`;
  return (
    <section className="live-panel grid-map" aria-label="grid">
      <h3>
        Grid by{" "}
        <select
          value={metric}
          onChange={event => setMetric(event.target.value)}
          aria-label="coloured by"
        >
          {Object.entries(METRICS)
            .filter(([key]) => key !== "adds" || adds.size > 0)
            .map(([key, each]) => (
              <option key={key} value={key}>
                {each.title}
              </option>
            ))}
        </select>
        {open !== null && grid.squares.length > 1 && (
          <button
            className="plain"
            onClick={() => {
              setSquare(null);
              setPlace(null);
            }}
          >
            all squares ✕
          </button>
        )}
      </h3>
      {open === null ? (
        <Squares
          grid={grid}
          groups={squares}
          span={span}
          said={said}
          kept={kept}
          choose={n => {
            setSquare(n);
            select(nameOf(n), squares[n].rows);
          }}
          chosen={chosenHole >= 0 ? grid.holes[chosenHole].square : -1}
        />
      ) : (
        <Holes
          name={grid.squares[open].name}
          holes={holes}
          span={span}
          said={said}
          kept={kept}
          chosen={chosenHole}
          marked={place}
          choose={(hole, rows) =>
            place === `hole ${hole}`
              ? select(nameOf(open), squares[open].rows)
              : select(`hole ${hole}`, rows)
          }
        />
      )}
      <Scale span={span} text={`${title}${unit ? ` (${unit})` : ""}`} />
      <p className="hint">
        {open === null
          ? `${count(grid.squares.length)} squares, ${count(grid.holes.length)} holes, by ${grid.source}`
          : `${nameOf(open)}: ${count(holes.length)} holes, ${count(squares[open].rows.length)} movies, ${said(squares[open].value)}`}
        {grid.pending > 0 && ` · ${count(grid.pending)} movies to be placed`}
      </p>
    </section>
  );
}

function Scale({ span, text }: { span: [number, number]; text: string }) {
  return (
    <div className="grid-scale">
      <span>{number(span[0], 2)}</span>
      <i style={{ background: `linear-gradient(90deg, ${CIVIDIS.join(", ")})` }} />
      <span>{number(span[1], 2)}</span>
      <small>{text}</small>
    </div>
  );
}

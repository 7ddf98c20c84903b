// Grid squares, and the holes of one, coloured by how good they are (cividis: safe for the colour-blind).
import { useMemo, useState } from "react";
import { usePersisted } from "../../hooks";
import { count, number } from "../../words";
import type { Grid, Sheet } from "./data";

interface Group {
  rows: number[];
  value: number | null;
}
const METRICS: Record<string, { title: string; unit: string; better: "high" | "low" }> = {
  accepted: { title: "Accepted", unit: "%", better: "high" },
  fit: { title: "CTF fit", unit: "Å", better: "low" },
  ice: { title: "Ice ring", unit: "", better: "low" },
  good: { title: "Good particles", unit: "a movie", better: "high" },
};
const CIVIDIS = [
  "#00224e",
  "#123570",
  "#3b496c",
  "#575d6d",
  "#707173",
  "#8a8678",
  "#a59c74",
  "#c3b369",
  "#e1cc55",
  "#fee838",
];

function colour(value: number | null, [low, high]: [number, number]): string {
  if (value === null) return "#dfe5eb";
  const t = high > low ? (value - low) / (high - low) : 0.5;
  return CIVIDIS[Math.max(0, Math.min(CIVIDIS.length - 1, Math.floor(t * CIVIDIS.length)))];
}

/** One number for some movies: the share accepted, a median, or particles of accepted movies per movie. */
function measure(sheet: Sheet, rows: number[], metric: string, goodShare: number): number | null {
  const judged = rows.filter(
    i => sheet.kind[i] || sheet.columns.picks?.[i] != null || (!sheet.live && sheet.made[i]),
  );
  if (!judged.length) return null;
  if (metric === "accepted")
    return (100 * judged.filter(i => !sheet.kind[i]).length) / judged.length;
  if (metric === "good")
    return (
      (judged.reduce((sum, i) => sum + (sheet.kind[i] ? 0 : (sheet.particles[i] ?? 0)), 0) /
        judged.length) *
      goodShare
    );
  const values = rows
    .map(i => sheet.columns[metric === "fit" ? "fit_resolution_angst" : "ice"]?.[i])
    .filter((v): v is number => v != null)
    .sort((a, b) => a - b);
  return values.length ? values[Math.floor(values.length / 2)] : null;
}

function spread(groups: Group[], metric: string): [number, number] {
  if (metric === "accepted") return [Math.min(50, ...groups.map(each => each.value ?? 100)), 100]; // 99 % is no dark spot
  const values = groups
    .map(each => each.value)
    .filter((v): v is number => v !== null)
    .sort((a, b) => a - b);
  return values.length
    ? [values[Math.floor(values.length * 0.03)], values[Math.ceil(values.length * 0.97) - 1]]
    : [0, 1];
}

export function GridMap({
  grid,
  sheet,
  keep,
  goodShare,
  chosen,
  select,
  selected,
}: {
  grid: Grid;
  sheet: Sheet;
  keep: Uint8Array;
  goodShare: number;
  chosen?: number;
  selected: string;
  select: (text: string, rows: number[] | null) => void;
}) {
  const [metric, setMetric] = usePersisted("grid.metric", "accepted");
  const [square, setSquare] = useState<number | null>(null);
  const rowsOf = useMemo(() => {
    const squares: number[][] = grid.squares.map(() => []),
      holes: number[][] = grid.holes.map(() => []);
    grid.hole_of.forEach((hole, i) => {
      if (hole >= 0 && i < sheet.names.length) {
        holes[hole].push(i);
        squares[grid.holes[hole].square].push(i);
      }
    });
    return { squares, holes };
  }, [grid, sheet]);
  const squares = useMemo(
    () => rowsOf.squares.map(rows => ({ rows, value: measure(sheet, rows, metric, goodShare) })),
    [rowsOf, sheet, metric, goodShare],
  );
  const open = square ?? (grid.squares.length === 1 ? 0 : null);
  const holes = useMemo(
    () =>
      open === null
        ? []
        : grid.holes
            .map((hole, n) => ({ hole, n }))
            .filter(({ hole }) => hole.square === open)
            .map(({ hole, n }) => ({
              hole,
              n,
              rows: rowsOf.holes[n],
              value: measure(sheet, rowsOf.holes[n], metric, goodShare),
            })),
    [open, grid, rowsOf, sheet, metric, goodShare],
  );
  const { title, unit } = METRICS[metric];
  const squareSpan = spread(squares, metric),
    holeSpan = spread(holes, metric);
  const said = (value: number | null) =>
    value === null ? "nothing judged yet" : `${number(value)} ${unit}`;
  const kept = (rows: number[]) => rows.some(i => keep[i]);
  const chosenHole = chosen !== undefined ? (grid.hole_of[chosen] ?? -1) : -1;
  return (
    <div className="grid-map">
      <h3>
        Grid by{" "}
        <select
          value={metric}
          onChange={event => setMetric(event.target.value)}
          aria-label="coloured by"
        >
          {Object.entries(METRICS).map(([key, each]) => (
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
              select("", null);
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
          span={squareSpan}
          said={said}
          kept={kept}
          choose={n => {
            setSquare(n);
            select(`square ${grid.squares[n].name}`, squares[n].rows);
          }}
          chosen={chosenHole >= 0 ? grid.holes[chosenHole].square : -1}
        />
      ) : (
        <Holes
          name={grid.squares[open].name}
          holes={holes}
          span={holeSpan}
          said={said}
          kept={kept}
          chosen={chosenHole}
          marked={selected}
          choose={(hole, rows) =>
            select(
              selected === `hole ${hole}` ? `square ${grid.squares[open].name}` : `hole ${hole}`,
              selected === `hole ${hole}` ? squares[open].rows : rows,
            )
          }
        />
      )}
      <Scale
        span={open === null ? squareSpan : holeSpan}
        text={`${title}${unit ? ` (${unit})` : ""}`}
      />
      <p className="hint">
        {open === null
          ? `${count(grid.squares.length)} squares, ${count(grid.holes.length)} holes, by ${grid.source}`
          : `square ${grid.squares[open].name}: ${count(holes.length)} holes, ${count(squares[open].rows.length)} movies, ${said(squares[open].value)}`}
        {grid.pending > 0 && ` · ${count(grid.pending)} movies to be placed`}
      </p>
    </div>
  );
}

function Squares({
  grid,
  groups,
  span,
  said,
  kept,
  choose,
  chosen,
}: {
  grid: Grid;
  groups: Group[];
  span: [number, number];
  said: (v: number | null) => string;
  kept: (rows: number[]) => boolean;
  choose: (n: number) => void;
  chosen: number;
}) {
  const placed = useMemo(() => places(grid.squares), [grid.squares]),
    at = placed?.at;
  return (
    <div
      className={at ? "squares placed" : "squares"}
      style={placed ? { height: placed.height } : undefined}
      role="group"
      aria-label="grid squares"
    >
      {groups.map((group, n) => (
        <button
          key={grid.squares[n].name}
          className={`square${chosen === n ? " chosen" : ""}`}
          style={{
            background: colour(group.value, span),
            color: dark(group.value, span) ? "#fff" : "#1d2733",
            opacity: kept(group.rows) ? 1 : 0.35,
            ...(at ? { left: `${at[n][0]}%`, top: at[n][1] } : {}),
          }}
          onClick={() => choose(n)}
          title={`square ${grid.squares[n].name}: ${group.rows.length} movies, ${said(group.value)}`}
        >
          {group.value === null ? "·" : number(group.value, 2)}
        </button>
      ))}
    </div>
  );
}

function dark(value: number | null, [low, high]: [number, number]): boolean {
  return value !== null && (high > low ? (value - low) / (high - low) : 0.5) < 0.6;
}

/** Per cent of the width and pixels of the height for stage positions; null if some square has none (they are shown in order then). */
function places(
  squares: { x: number | null; y: number | null }[],
): { at: [number, number][]; height: number } | null {
  if (squares.length < 2 || squares.some(each => each.x === null || each.y === null)) return null;
  const xs = squares.map(each => each.x!),
    ys = squares.map(each => each.y!);
  const x0 = Math.min(...xs),
    y1 = Math.max(...ys),
    wide = Math.max(Math.max(...xs) - x0, 1),
    high = Math.max(y1 - Math.min(...ys), 1);
  const height = Math.max(70, Math.min(320, 60 + (400 * high) / wide));
  const at = squares.map((each): [number, number] => [
    8 + (84 * (each.x! - x0)) / wide,
    30 + ((height - 60) * (y1 - each.y!)) / high,
  ]); // per cent, pixels
  const tight = at.some((a, i) =>
    at.some((b, j) => j > i && Math.abs(a[0] - b[0]) < 13 && Math.abs(a[1] - b[1]) < 34),
  );
  return tight ? null : { at, height }; // too close to be told apart: in order
}

interface HoleGroup extends Group {
  hole: Grid["holes"][number];
  n: number;
}

function Holes({
  name,
  holes,
  span,
  said,
  kept,
  choose,
  chosen,
  marked,
}: {
  name: string;
  holes: HoleGroup[];
  span: [number, number];
  said: (v: number | null) => string;
  kept: (rows: number[]) => boolean;
  choose: (hole: string, rows: number[]) => void;
  chosen: number;
  marked: string;
}) {
  const at = useMemo(() => layout(holes), [holes]);
  const move = (event: React.KeyboardEvent) => {
    const step = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[
      event.key
    ];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const all = [...event.currentTarget.querySelectorAll<SVGCircleElement>("circle")],
      now = all.indexOf(document.activeElement as unknown as SVGCircleElement);
    if (now < 0) {
      all[0]?.focus();
      return;
    }
    let best = now,
      least = Infinity;
    at.points.forEach(([x, y], n) => {
      const dx = x - at.points[now][0],
        dy = y - at.points[now][1],
        along = dx * step[0] + dy * step[1],
        cost =
          along > 1e-6 ? Math.hypot(dx, dy) + 2 * Math.abs(dx * step[1] - dy * step[0]) : Infinity;
      if (cost < least) {
        least = cost;
        best = n;
      }
    });
    all[best]?.focus();
  };
  return (
    <svg
      className="holes"
      viewBox={at.box}
      role="group"
      aria-label={`holes of square ${name}`}
      onKeyDown={move}
    >
      {holes.map((each, n) => (
        <circle
          key={each.n}
          cx={at.points[n][0]}
          cy={at.points[n][1]}
          r={at.radius}
          fill={colour(each.value, span)}
          opacity={kept(each.rows) ? 1 : 0.3}
          tabIndex={n === 0 ? 0 : -1}
          role="button"
          aria-label={`hole ${each.hole.name}: ${each.rows.length} movies, ${said(each.value)}`}
          stroke={
            each.n === chosen || marked === `hole ${each.hole.name}`
              ? "#d55e00"
              : each.value === null
                ? "#9aa8b5"
                : "none"
          }
          strokeWidth={
            at.radius * (each.n === chosen || marked === `hole ${each.hole.name}` ? 0.4 : 0.12)
          }
          onClick={() => choose(each.hole.name, each.rows)}
          onKeyDown={event => {
            if (event.key === "Enter" || event.key === " ") {
              event.preventDefault();
              event.stopPropagation();
              choose(each.hole.name, each.rows);
            }
          }}
        >
          <title>{`hole ${each.hole.name}: ${each.rows.length} movies, ${said(each.value)}`}</title>
        </circle>
      ))}
    </svg>
  );
}

/** Where the holes are drawn: as they lie in the square, or row by row in the order of acquisition where nobody knows. */
function layout(holes: HoleGroup[]): { points: [number, number][]; radius: number; box: string } {
  const known = holes.length > 1 && holes.every(({ hole }) => hole.x !== null && hole.y !== null);
  const wide = Math.ceil(Math.sqrt(holes.length * 1.6)) || 1;
  const points = holes.map(({ hole }, n): [number, number] =>
    known ? [hole.x!, hole.y!] : [n % wide, Math.floor(n / wide)],
  );
  const xs = points.map(p => p[0]),
    ys = points.map(p => p[1]),
    x0 = Math.min(...xs, Infinity),
    y0 = Math.min(...ys, Infinity);
  const w = Math.max(...xs, x0) - x0,
    h = Math.max(...ys, y0) - y0;
  const radius =
    0.42 *
    (known
      ? Math.sqrt(Math.max(w * h, (Math.max(w, h) / holes.length) ** 2, 1e-6) / holes.length)
      : 1);
  return {
    points,
    radius,
    box: `${x0 - 2 * radius} ${y0 - 2 * radius} ${w + 4 * radius || 1} ${h + 4 * radius || 1}`,
  };
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

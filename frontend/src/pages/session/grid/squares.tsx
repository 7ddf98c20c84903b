// Grid squares where they lie on the grid, or in order where nobody knows.
import { useMemo } from "react";
import { number } from "../../../ui/words";
import type { Grid } from "../data";
import { colour, dark, type Group } from "./measure";
import { places } from "./places";

export function Squares({
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

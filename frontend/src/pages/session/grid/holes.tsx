// The holes of one square; arrow keys go from one to the next.
import { useMemo } from "react";
import { colour } from "./measure";
import { layout, type HoleGroup } from "./places";

export function Holes({
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

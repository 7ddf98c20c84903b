// Where squares and holes are drawn.
import type { Grid } from "../data";
import type { Group } from "./measure";

/** Per cent of the width and pixels of the height for stage positions; null if some square has none (they are shown in order then). */
export function places(
  squares: Grid["squares"],
): { at: [number, number][]; height: number } | null {
  if (squares.length < 2 || squares.some(each => each.x == null || each.y == null)) return null;
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

export interface HoleGroup extends Group {
  hole: Grid["holes"][number];
  n: number;
}

/** Where the holes are drawn: as they lie in the square, or row by row in the order of acquisition where nobody knows. */
export function layout(holes: HoleGroup[]): {
  points: [number, number][];
  radius: number;
  box: string;
} {
  const known = holes.length > 1 && holes.every(({ hole }) => hole.x != null && hole.y != null);
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

// The order in which classes are shown, and what is chosen by it.
import type { ClassRow } from "../../api/types";

export type Sort = "share" | "resolution" | "number";

export function ordered(
  rows: ClassRow[],
  sort: Sort,
  reverse: boolean,
  empty: boolean,
): ClassRow[] {
  const value = (row: ClassRow) =>
    sort === "share"
      ? -(row.particles ?? row.share)
      : sort === "resolution"
        ? row.empty
          ? Infinity
          : (row.resolution_angst ?? Infinity)
        : row.number;
  const all = rows.filter(row => empty || !row.empty);
  all.sort((a, b) => value(a) - value(b) || a.number - b.number);
  return reverse ? all.reverse() : all;
}

/** Numbers from the one to the other in the order shown, both included. */
export function between(shown: number[], a: number, b: number): number[] {
  const [from, to] = [shown.indexOf(a), shown.indexOf(b)].sort((x, y) => x - y);
  return from < 0 ? [] : shown.slice(from, to + 1);
}

// Rows of a live session that are new or changed, put among those that are known.
import type { LiveMovies, Numbers } from "../../api/types";

type Row = Pick<
  LiveMovies,
  "names" | "stages" | "kinds_aside" | "aside" | "by_hand" | "taken_s" | "ready_s"
>;
const ROWS: (keyof Row)[] = [
  "names",
  "stages",
  "kinds_aside",
  "aside",
  "by_hand",
  "taken_s",
  "ready_s",
];

/** What is known, with the rows of an answer put in their places (number n stands at n - 1). */
export function merged(known: LiveMovies, fresh: LiveMovies): LiveMovies {
  if (!fresh.since) return fresh;
  if (!fresh.numbers.length && fresh.total === known.total)
    return { ...known, version: fresh.version, since: fresh.since, thresholds: fresh.thresholds };
  const total = fresh.total;
  const put = <T>(old: T[], rows: T[], empty: T): T[] => {
    const made = old.slice(0, total);
    while (made.length < total) made.push(empty);
    rows.forEach((value, i) => {
      made[fresh.numbers[i] - 1] = value;
    });
    return made;
  };
  const columns: Record<string, Numbers> = {};
  for (const key of new Set([...Object.keys(known.columns), ...Object.keys(fresh.columns)])) {
    const rows = fresh.columns[key] ?? fresh.numbers.map(() => null);
    columns[key] = put(known.columns[key] ?? [], rows, null);
  }
  const made = { ...fresh, columns, numbers: Array.from({ length: total }, (_, i) => i + 1) };
  for (const key of ROWS) {
    const empty: string | number = key === "taken_s" || key === "ready_s" ? 0 : "";
    Object.assign(made, {
      [key]: put(known[key] as (string | number)[], fresh[key] as (string | number)[], empty),
    });
  }
  const named = new Set(fresh.kinds.map(each => each.key));
  made.kinds = [...fresh.kinds, ...known.kinds.filter(each => !named.has(each.key))];
  return made;
}

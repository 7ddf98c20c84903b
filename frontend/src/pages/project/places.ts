// Where the jobs of a graph are drawn: columns by the distance from the start, rows near the parents.
import type { Jobs } from "../../api/types";

export const WIDE = 146,
  TALL = 70,
  BOX: [number, number] = [126, 46]; // pixels

type Graph = Pick<Jobs, "edges"> & { jobs: { name: string }[] };

/** Column = longest way from a job without parents; row = first free place near the parents. */
export function places(jobs: Graph): Map<string, { x: number; y: number }> {
  const parents = new Map<string, string[]>();
  for (const edge of jobs.edges) parents.set(edge.to, [...(parents.get(edge.to) ?? []), edge.from]);
  const column = new Map<string, number>();
  const depth = (name: string, seen: Set<string>): number => {
    if (column.has(name)) return column.get(name)!;
    if (seen.has(name)) return 0;
    seen.add(name);
    const found = Math.max(-1, ...(parents.get(name) ?? []).map(each => depth(each, seen))) + 1;
    column.set(name, found);
    return found;
  };
  const taken = new Map<number, Set<number>>();
  const row = new Map<string, number>();
  const order = [...jobs.jobs].sort((a, b) => depth(a.name, new Set()) - depth(b.name, new Set()));
  for (const job of order) {
    const c = column.get(job.name) ?? 0;
    const used = taken.get(c) ?? new Set<number>();
    const wish = Math.min(
      ...(parents.get(job.name) ?? []).map(each => row.get(each) ?? 0),
      Infinity,
    );
    let r = isFinite(wish) ? wish : 0;
    while (used.has(r)) r++;
    used.add(r);
    taken.set(c, used);
    row.set(job.name, r);
  }
  return new Map(
    jobs.jobs.map(job => [
      job.name,
      { x: (column.get(job.name) ?? 0) * WIDE, y: (row.get(job.name) ?? 0) * TALL },
    ]),
  );
}

const NEWEST = 8; // jobs shown first of a large graph

/** What a large graph shows: the chosen job with what it reads and what reads it, or the newest jobs. */
export function around(jobs: Graph, chosen: string): string[] {
  if (!jobs.jobs.some(job => job.name === chosen))
    return jobs.jobs.slice(-NEWEST).map(job => job.name);
  const beside = jobs.edges.flatMap(edge =>
    edge.to === chosen ? [edge.from] : edge.from === chosen ? [edge.to] : [],
  );
  return [...new Set([chosen, ...beside.slice(0, 2 * NEWEST)])];
}

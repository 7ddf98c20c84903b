// How often values occur: bins between the extremes, of which a few on each side are left out of the scale.
import type { Numbers } from "./spec";

const LEAST = 12,
  MOST = 50,
  TAIL = 0.002; // share at each end that does not stretch the scale

export interface Bins {
  low: number;
  high: number;
  counts: number[];
  centres: number[];
}

const slot = (v: number, low: number, high: number, n: number) =>
  Math.max(0, Math.min(n - 1, Math.floor(((v - low) / (high - low)) * n)));

export function binned(values: Numbers): Bins | null {
  const sorted = Float64Array.from(
    values.filter((v): v is number => v !== null && isFinite(v)),
  ).sort();
  if (!sorted.length) return null;
  const n = Math.max(LEAST, Math.min(MOST, Math.round(Math.sqrt(values.length) * 2)));
  const low = sorted[Math.floor(sorted.length * TAIL)],
    top = sorted[Math.ceil(sorted.length * (1 - TAIL)) - 1];
  const high = top > low ? top : low + 1,
    counts = new Array<number>(n).fill(0);
  for (const v of sorted) counts[slot(v, low, high, n)]++;
  const centres = counts.map((_, i) => low + ((i + 0.5) / n) * (high - low));
  return { low, high, counts, centres };
}

/** The same bins, counting only the values that `part` marks. */
export function partOf(values: Numbers, part: Uint8Array, bins: Bins): number[] {
  const counts = new Array<number>(bins.counts.length).fill(0);
  values.forEach((v, i) => {
    if (part[i] && v !== null && isFinite(v)) counts[slot(v, bins.low, bins.high, counts.length)]++;
  });
  return counts;
}

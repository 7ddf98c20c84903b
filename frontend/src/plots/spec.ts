// What a plot shows, whoever draws it: axes with units, series, lines that mark something.
import type { Numbers } from "../api/types";

export type { Numbers };

/** Steps of a time axis in seconds: none below a minute, as its labels say minutes. */
export const MINUTES = [60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];

export interface Series {
  name: string;
  y: Numbers;
  kind?: "line" | "points" | "bars"; // line unless told
  colour?: string;
  width?: number;
  dash?: number[];
}

/** A line across the plot at a value of x or of y, with its words. */
export interface Mark {
  x?: number;
  y?: number;
  text?: string;
  colour?: string;
}

export interface Spec {
  title: string; // for readers of screens, and names of files
  x: number[]; // rising
  xRange?: [number, number]; // shown before somebody zooms; else all of x
  xTitle: string; // with its unit
  xText?: (value: number) => string;
  xSteps?: number[]; // between ticks, where not every round number will do (minutes)
  xSaid?: (value: number) => string; // at the pointer, where it differs from the axis
  yTitle: string;
  yRange?: [number, number];
  yText?: (value: number) => string;
  series: Series[];
  marks?: Mark[];
  bands?: [number, number][]; // pairs of series (high, low) with the space between them tinted
  table?: { name: string; y: Numbers }[]; // what stands in the file, where that is not what is drawn
}

/** Round steps between two values, about `n` of them. */
export function ticks([low, high]: [number, number], n: number): number[] {
  const raw = (high - low) / n;
  if (!(raw > 0) || !isFinite(raw)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw * 0.999)!;
  const found = [];
  for (let v = Math.ceil(low / step - 1e-9) * step; v <= high + step * 1e-9; v += step)
    found.push(Math.abs(v) < step / 1e6 ? 0 : Number(v.toPrecision(12)));
  return found;
}

/** A number on an axis: 12k, 3.5M. */
export function short(v: number): string {
  const a = Math.abs(v);
  if (a >= 1e6) return `${Number((v / 1e6).toPrecision(3))}M`;
  if (a >= 1e4) return `${Number((v / 1e3).toPrecision(3))}k`;
  return String(Number(v.toPrecision(4)));
}

/** From the least to the greatest of some values, with a little room; [0, 1] where there is none. */
export function range(values: Numbers, room = 0.03): [number, number] {
  let low = Infinity,
    high = -Infinity;
  for (const v of values)
    if (v !== null && isFinite(v)) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
  if (low > high) return [0, 1];
  if (low === high) return [low - 0.5, high + 0.5];
  const pad = (high - low) * room;
  return [low - pad, high + pad];
}

/** Rows with a known x, in its order: what a plot can draw, and which row each came from. */
export function inOrder(x: Numbers): number[] {
  const rows: number[] = [];
  let sorted = true,
    last = -Infinity;
  x.forEach((v, i) => {
    if (v === null || !isFinite(v)) return;
    if (v < last) sorted = false;
    last = v;
    rows.push(i);
  });
  return sorted ? rows : rows.sort((a, b) => x[a]! - x[b]!);
}

/** Where the first value at or above `wanted` stands in rising values. */
export function lowerBound(rising: ArrayLike<number>, wanted: number): number {
  let low = 0,
    high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

// How good a square or a hole is, and in which colour it is shown (cividis: safe for the colour-blind).
import type { Sheet } from "../data";

export interface Group {
  rows: number[];
  value: number | null;
}
export const METRICS: Record<string, { title: string; unit: string; better: "high" | "low" }> = {
  accepted: { title: "Accepted", unit: "%", better: "high" },
  fit: { title: "CTF fit", unit: "Å", better: "low" },
  ice: { title: "Ice ring", unit: "", better: "low" },
  good: { title: "Good particles", unit: "a movie", better: "high" },
  adds: { title: "Adds to the map", unit: "of the mean", better: "high" }, // told by the map, of squares only
};
export const CIVIDIS = [
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

export function colour(value: number | null, [low, high]: [number, number]): string {
  if (value === null) return "var(--track)";
  const t = high > low ? (value - low) / (high - low) : 0.5;
  return CIVIDIS[Math.max(0, Math.min(CIVIDIS.length - 1, Math.floor(t * CIVIDIS.length)))];
}

/** One number for some movies: the share accepted, a median, or particles of accepted movies per movie. */
export function measure(
  sheet: Sheet,
  rows: number[],
  metric: string,
  goodShare: number,
): number | null {
  if (metric === "adds") return null;
  const judged = rows.filter(i => sheet.kind[i] || sheet.through[i]);
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
    .map(i => sheet.columns[metric === "fit" ? "ctf_resolution_angst" : "ice_ring"]?.[i])
    .filter((v): v is number => v != null)
    .sort((a, b) => a - b);
  return values.length ? values[Math.floor(values.length / 2)] : null;
}

export function spread(groups: Group[], metric: string): [number, number] {
  if (metric === "accepted") return [Math.min(50, ...groups.map(each => each.value ?? 100)), 100]; // 99 % is no dark spot
  const values = groups
    .map(each => each.value)
    .filter((v): v is number => v !== null)
    .sort((a, b) => a - b);
  return values.length
    ? [values[Math.floor(values.length * 0.03)], values[Math.ceil(values.length * 0.97) - 1]]
    : [0, 1];
}

export function dark(value: number | null, [low, high]: [number, number]): boolean {
  return value !== null && (high > low ? (value - low) / (high - low) : 0.5) < 0.6;
}

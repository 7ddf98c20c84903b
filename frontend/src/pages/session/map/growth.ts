// What the plots of a growing map show: measured points, the line to come and what it may be between.
import type { Answers, Numbers } from "../../../api/types";
import { short, type Series, type Spec } from "../../../plots/spec";

export type View = "particles" | "time" | "b-factor";
export const VIEWS: { key: View; title: string }[] = [
  { key: "particles", title: "by particles" },
  { key: "time", title: "by time" },
  { key: "b-factor", title: "B-factor" },
];
const ANGST = "resolution (Å)",
  HOUR_S = 3600;

interface Point {
  x: number;
  measured?: number;
  low?: number; // the best it may be, Å
  middle?: number;
  high?: number;
}

/** Points in the order of x as columns of a plot; `value` turns Å into what is drawn. */
function columns(
  points: Point[],
  value: (angst: number) => number,
  line: string,
): [number[], Series[]] {
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const of = (key: "measured" | "low" | "middle" | "high"): Numbers =>
    sorted.map(each => (each[key] === undefined ? null : value(each[key]!)));
  const series: Series[] = [
    { name: "measured", y: of("measured"), kind: "points" },
    { name: "forecast", y: of("middle"), dash: [5, 4], colour: line },
  ];
  if (points.some(each => each.low !== undefined))
    series.push(
      { name: "80 % interval", y: of("high"), width: 0.6, colour: line },
      { name: "", y: of("low"), width: 0.6, colour: line },
    );
  return [sorted.map(each => each.x), series];
}

const clock = (s: number) =>
  new Date(s * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const inverse = (angst: number) => 1 / angst ** 2;
const said = (x: number, text: string) => `${short(Math.round(x))} ${text}`;

/** The plot of one view, what is to come in the colour `line`; null where there is nothing to draw. */
export function growthSpec(answers: Answers, view: View, line: string): Spec | null {
  const { history, forecast } = answers;
  if (!history.length) return null;
  const byTime = view === "time";
  const points: Point[] = history.map(each => ({
    x: byTime ? each.time : Math.log10(each.particles),
    measured: each.resolution_angst,
  }));
  const last = history[history.length - 1];
  if (byTime && forecast?.ahead.length) {
    const now = last.resolution_angst;
    points.push({ x: last.time, low: now, middle: now, high: now });
    for (const [hours, then] of forecast.ahead)
      points.push({ x: last.time + hours * HOUR_S, ...then });
  }
  if (!byTime)
    for (const [particles, low, middle, high] of forecast?.band ?? [])
      points.push({ x: Math.log10(particles), low, middle, high });
  const isB = view === "b-factor";
  const [x, series] = columns(points, isB ? inverse : angst => angst, line);
  const text = byTime ? clock : (v: number) => short(Math.round(10 ** v));
  return {
    title: isB
      ? "1/d² against the logarithm of particles"
      : `Resolution ${byTime ? "in time" : "by particles"}`,
    x,
    xTitle: byTime ? "time" : "particles (logarithmic)",
    xText: text,
    xSaid: byTime ? clock : v => said(10 ** v, "particles"),
    xSteps: byTime ? undefined : [Math.log10(2), 0.5, 1],
    yTitle: isB ? "1/d² (1/Å²)" : ANGST,
    yText: isB ? v => (v > 0 ? short(v) : "0") : undefined,
    series,
    bands: series.length > 2 ? [[2, 3]] : undefined,
    marks: [{ x: byTime ? last.time : Math.log10(last.particles), text: "now" }],
  };
}

/** FSC now and before on one axis of frequencies: the finer of the two, the other one where it has points. */
export function fscColumns(answers: Answers): { x: number[]; series: Series[] } | null {
  const { now, before } = answers;
  if (!now) return null;
  const series: Series[] = [{ name: `now, ${short(now.particles)} particles`, y: now.fsc }];
  if (before) {
    const at = new Map(before.frequency.map((f, i) => [f.toFixed(5), before.fsc[i]]));
    const y = now.frequency.map(f => at.get(f.toFixed(5)) ?? null);
    series.push({ name: `before, ${short(before.particles)}`, y, dash: [4, 3] });
  }
  return { x: now.frequency, series };
}

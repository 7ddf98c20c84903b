// Which point is under the pointer.
import type uPlot from "uplot";
import { lowerBound, type Numbers } from "./spec";

const REACH = 20; // pixels

/** The row of the nearest of some points (x rising), or -1; `left`, `top` in pixels of the plot's inside. */
export function nearest(plot: uPlot, series: Numbers[], left: number, top: number): number {
  const x = plot.data[0];
  const first = lowerBound(x, plot.posToVal(left - REACH, "x")),
    last = lowerBound(x, plot.posToVal(left + REACH, "x"));
  let best = -1,
    least = REACH * REACH;
  for (let i = first; i < Math.min(x.length, last + 1); i++)
    for (const y of series) {
      if (y[i] == null) continue;
      const dx = plot.valToPos(x[i], "x") - left,
        dy = plot.valToPos(y[i]!, "y") - top,
        d = dx * dx + dy * dy;
      if (d < least) {
        least = d;
        best = i;
      }
    }
  return best;
}

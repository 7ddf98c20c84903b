// Curves over one axis.
import { useMemo } from "react";
import { Chart } from "./chart";
import type { Mark, Numbers, Spec } from "./spec";

export function LinePlot({
  title,
  x,
  series,
  xTitle,
  yTitle,
  height,
  xText,
  xSaid,
  yRange,
  marks,
}: {
  title: string;
  x: number[];
  series: { name: string; y: Numbers; dash?: number[]; colour?: string }[];
  xTitle: string;
  yTitle: string;
  height?: number;
  xText?: (value: number) => string;
  xSaid?: (value: number) => string;
  yRange?: [number, number];
  marks?: Mark[];
}) {
  const spec = useMemo(
    (): Spec => ({ title, x, series, xTitle, yTitle, xText, xSaid, yRange, marks }),
    [title, x, series, xTitle, yTitle, xText, xSaid, yRange, marks],
  );
  return <Chart spec={spec} height={height} className="line-plot" />;
}

/** A spatial frequency as the resolution it stands for. */
export const asResolution = (s: number) => (s > 0 ? `${Number((1 / s).toPrecision(3))} Å` : "∞");

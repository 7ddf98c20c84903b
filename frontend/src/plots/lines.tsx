// Curves over one axis.
import { useMemo } from "react";
import { Chart } from "./chart";
import type { Mark, Series, Spec } from "./spec";

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
  bands,
}: {
  title: string;
  x: number[];
  series: Series[];
  xTitle: string;
  yTitle: string;
  height?: number;
  xText?: (value: number) => string;
  xSaid?: (value: number) => string;
  yRange?: [number, number];
  marks?: Mark[];
  bands?: [number, number][];
}) {
  const spec = useMemo(
    (): Spec => ({ title, x, series, xTitle, yTitle, xText, xSaid, yRange, marks, bands }),
    [title, x, series, xTitle, yTitle, xText, xSaid, yRange, marks, bands],
  );
  return <Chart spec={spec} height={height} className="line-plot" />;
}

/** A spatial frequency as the resolution it stands for. */
export const asResolution = (s: number) => (s > 0 ? `${Number((1 / s).toPrecision(3))} Å` : "∞");

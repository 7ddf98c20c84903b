// A plot's specification in the words of uPlot.
import uPlot from "uplot";
import type { Palette } from "../shell/theme";
import { short, type Series, type Spec } from "./spec";

const FONT = "11px system-ui",
  MANY = 3000,
  SOME = 300; // points beyond which they are drawn smaller

/** Points as one path of small squares: twenty thousand of them are drawn in a few milliseconds. */
const squares: uPlot.Series.PathBuilder = (plot, series, first, last) => {
  const path = new Path2D(),
    x = plot.data[0],
    y = plot.data[series] as (number | null)[];
  const size = (y.length > MANY ? 1.7 : y.length > SOME ? 2.6 : 5) * devicePixelRatio;
  for (let i = first; i <= last; i++) {
    const v = y[i];
    if (v == null) continue;
    path.rect(
      plot.valToPos(x[i], "x", true) - size / 2,
      plot.valToPos(v, "y", true) - size / 2,
      size,
      size,
    );
  }
  return { fill: path, stroke: null, flags: 0 } as unknown as uPlot.Series.Paths;
};

const bars = uPlot.paths.bars!({ size: [0.92, 100], gap: 1 });

function seriesOf(each: Series, index: number, palette: Palette): uPlot.Series {
  const colour = each.colour ?? palette.series[index % palette.series.length];
  const common = { label: each.name, points: { show: false } };
  if (each.kind === "points") return { ...common, fill: colour, paths: squares };
  if (each.kind === "bars") return { ...common, fill: colour, width: 0, paths: bars };
  return { ...common, stroke: colour, width: each.width ?? 1.5, dash: each.dash };
}

function axesOf(spec: Spec, palette: Palette, bare: boolean): uPlot.Axis[] {
  const look = {
    font: FONT,
    labelFont: FONT,
    stroke: palette.soft,
    grid: { stroke: palette.grid, width: 1 },
    ticks: { stroke: palette.grid, width: 1, size: 4 },
    labelGap: 0,
  };
  const xText = spec.xText ?? short,
    yText = spec.yText ?? short;
  const xAxis = {
    ...look,
    values: (_: uPlot, all: number[]) => all.map(xText),
    space: 70,
    incrs: spec.xSteps,
  };
  const yAxis = { ...look, values: (_: uPlot, all: number[]) => all.map(yText), space: 26 };
  return bare
    ? [
        { ...xAxis, size: 22, space: 46 },
        { ...yAxis, size: 34, space: 30 },
      ]
    : [
        { ...xAxis, size: 24, label: spec.xTitle, labelSize: 16 },
        { ...yAxis, size: 44, label: spec.yTitle, labelSize: 16 },
      ];
}

/** `bare`: axes without titles, which stand above the plot. */
export function optionsOf(
  spec: Spec,
  palette: Palette,
  size: { width: number; height: number },
  plugins: uPlot.Plugin[],
  bare: boolean,
): uPlot.Options {
  const from0 = spec.series.some(each => each.kind === "bars");
  const yRange: uPlot.Scale.Range | undefined = spec.yRange
    ? spec.yRange
    : from0
      ? (_, __, high) => [0, high > 0 ? high * 1.05 : 1]
      : (_, low, high) => {
          if (low == null || high == null) return [0, 1];
          const room = (high - low || 1) * 0.04;
          return [low - room, high + room];
        };
  return {
    ...size,
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: true, dist: 4 },
      points: { show: spec.series.some(each => each.kind !== "bars") && spec.series.length < 8 },
      x: true,
      y: false,
    },
    scales: {
      x: {
        time: false,
        range: (plot, low, high) => {
          const x = plot.data[0];
          if (spec.xRange && low <= x[0] && high >= x[x.length - 1]) return spec.xRange;
          return low === high ? [low - 0.5, high + 0.5] : [low, high];
        },
      },
      y: { range: yRange },
    },
    axes: axesOf(spec, palette, bare),
    series: [{}, ...spec.series.map((each, n) => seriesOf(each, n, palette))],
    bands: spec.bands?.map(([high, low]) => ({
      series: [high + 1, low + 1] as uPlot.Band.Bounds,
      fill: `${spec.series[high].colour ?? palette.series[high % palette.series.length]}2e`,
    })),
    plugins,
  };
}

// The session in time: movies per hour stacked by what became of them, pauses, events; dragging selects a time.
import { useEffect, useMemo, useRef } from "react";
import type uPlot from "uplot";
import { Chart } from "../../../plots/chart";
import { pointerPlugin } from "../../../plots/pointer";
import { MINUTES, type Series, type Spec } from "../../../plots/spec";
import { useColours, type Palette } from "../../../shell/theme";
import { clock, type Sheet } from "../data";
import { bins, FATES, SIGNS, type Bins, type Fate, type Mark } from "./told";

const HEIGHT = 152,
  STRIP = 16; // pixels on top for the signs of events

export interface LineProps {
  sheet: Sheet | null;
  marks: Mark[];
  pauses: [number, number][];
  span: [number, number];
  looked: number;
  brush: [number, number] | null;
  onBrush: (range: [number, number] | null) => void;
}

export const fateColours = (p: Palette): Record<Fate, string> => ({
  accepted: p["chart-1"],
  threshold: p["chart-5"],
  classes: p["chart-3"],
  manual: p["chart-4"],
  failure: p["chart-2"],
  waiting: p.pale,
});
const markColour = (mark: Mark, p: Palette) =>
  mark.kind === "bad" ? p["chart-2"] : mark.kind === "person" ? p["chart-4"] : p.soft;
export const FATE_WORDS: Record<Fate, string> = {
  accepted: "accepted",
  threshold: "by a limit",
  classes: "by 2D classes",
  manual: "by hand",
  failure: "failed",
  waiting: "on the way",
};

/** Bars that stand on each other: the highest sum is drawn first, the others cover it. */
function stacked(binned: Bins, palette: Palette): Series[] {
  const sums = binned.done.map(() => 0);
  const colours = fateColours(palette);
  const layers = FATES.map((fate): Series => {
    const y = binned.fates[fate].map((v, i) => (sums[i] += v));
    return { name: FATE_WORDS[fate], y: [...y], kind: "bars", colour: colours[fate] };
  }).filter((_, n) => binned.fates[FATES[n]].some(Boolean));
  return layers.reverse();
}

/** Pauses and the time away behind everything, the signs of events on top. */
function nightPlugin(latest: () => LineProps & { palette: Palette }): uPlot.Plugin {
  return {
    hooks: {
      drawClear: plot => {
        const { pauses, looked, span, palette } = latest(),
          c = plot.ctx,
          { top, height } = plot.bbox;
        const shade = (from: number, to: number, colour: string) => {
          const x = plot.valToPos(from, "x", true);
          c.fillStyle = colour;
          c.fillRect(x, top, Math.max(2, plot.valToPos(to, "x", true) - x), height);
        };
        if (looked) shade(looked, span[1], `${palette["chart-1"]}1c`);
        for (const [from, to] of pauses) {
          shade(from, to, `${palette.soft}30`);
          const x = plot.valToPos(from, "x", true);
          if (plot.valToPos(to, "x", true) - x < 50 * devicePixelRatio) continue;
          c.fillStyle = palette.soft;
          c.font = `${10 * devicePixelRatio}px system-ui`;
          c.textAlign = "left";
          c.fillText("paused", x + 4, top + (STRIP + 12) * devicePixelRatio);
        }
      },
      draw: plot => {
        const { marks, palette } = latest(),
          c = plot.ctx;
        c.font = `${12 * devicePixelRatio}px system-ui`;
        c.textAlign = "center";
        for (const mark of marks) {
          c.fillStyle = markColour(mark, palette);
          const x = plot.valToPos(mark.t, "x", true);
          if (x >= plot.bbox.left && x <= plot.bbox.left + plot.bbox.width)
            c.fillText(SIGNS[mark.kind], x, plot.bbox.top + 11 * devicePixelRatio);
        }
      },
    },
  };
}

function markAt(plot: uPlot, marks: Mark[]): Mark | null {
  const left = plot.cursor.left ?? -1;
  if ((plot.cursor.top ?? STRIP) >= STRIP) return null;
  let best: Mark | null = null,
    least = 8;
  for (const mark of marks) {
    const d = Math.abs(plot.valToPos(mark.t, "x") - left);
    if (d < least) [best, least] = [mark, d];
  }
  return best;
}

export function Line(props: LineProps) {
  const { sheet, marks, span, brush } = props;
  const [from, to] = span;
  const palette = useColours();
  const binned = useMemo(() => bins(sheet, [from, to]), [sheet, from, to]);
  const spec = useMemo((): Spec => {
    const layers = stacked(binned, palette);
    const most = Math.max(1, ...layers.flatMap(each => each.y.map(v => v ?? 0)), ...binned.done);
    const through = { name: "done", y: binned.done, colour: palette.ink, width: 1.3 };
    return {
      title: "The session in time",
      x: binned.times,
      xRange: [from, to],
      xTitle: "time of day",
      xText: clock,
      xSteps: MINUTES,
      yTitle: "movies per hour",
      yRange: [0, most * 1.25],
      series: binned.done.some(Boolean) ? [...layers, through] : layers,
      table: [
        ...FATES.map(fate => ({ name: FATE_WORDS[fate], y: binned.fates[fate] })),
        { name: "done", y: binned.done },
      ],
    };
  }, [binned, palette, from, to]);
  const latest = useRef({ ...props, palette });
  useEffect(() => {
    latest.current = { ...props, palette };
  });
  const plugins = useMemo(
    () => [
      nightPlugin(() => latest.current),
      pointerPlugin(() => ({
        brush: latest.current.onBrush,
        brushed: latest.current.brush,
        chosen: -1,
        series: () => [],
        colour: () => ({
          ink: latest.current.palette.ink,
          shade: `${latest.current.palette["chart-1"]}26`,
        }),
      })),
    ],
    [],
  );
  return (
    <Chart
      className="night-line"
      spec={spec}
      height={HEIGHT}
      legend={false}
      plugins={plugins}
      redraw={`${brush}/${marks.length}/${props.pauses.length}/${props.looked}`}
      said={(plot, i) => {
        const mark = markAt(plot, latest.current.marks);
        if (mark) {
          const { person, text, kind } = mark.event;
          return `${clock(mark.t)} ${person ? `${person}: ` : ""}${text || kind}`;
        }
        const parts = FATES.filter(fate => binned.fates[fate][i]).map(
          fate => `${Math.round(binned.fates[fate][i])} ${FATE_WORDS[fate]}`,
        );
        return `${clock(binned.times[i])}: ${parts.join(", ") || "none"} per hour`;
      }}
    />
  );
}

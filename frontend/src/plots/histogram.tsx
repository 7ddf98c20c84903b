// How often each value occurs; what lies outside the limits has another colour. Dragging, or the arrow keys, set a limit.
import { useEffect, useMemo, useRef } from "react";
import type uPlot from "uplot";
import { colours, useColours } from "../shell/theme";
import { number } from "../ui/words";
import { binned, partOf, type Bins } from "./bins";
import { Chart } from "./chart";
import type { Numbers, Series, Spec } from "./spec";

export type Limit = [number | null, number | null];

interface Props {
  values: Numbers;
  limits: Limit;
  title: string;
  onLimits?: (limits: Limit) => void;
  height?: number;
  part?: Uint8Array | null;
  mark?: number | null;
}

/** The limits with one of them moved; at the end of the scale it is none. */
export function moved(limits: Limit, which: 0 | 1, v: number, { low, high }: Bins): Limit {
  const next: Limit = [...limits];
  next[which] = (which ? v >= high : v <= low) ? null : Number(v.toPrecision(4));
  return next;
}

function series(bins: Bins, limits: Limit, part: number[] | null): Series[] {
  const palette = colours();
  const inside = bins.centres.map(
    v => (limits[0] === null || v >= limits[0]) && (limits[1] === null || v <= limits[1]),
  );
  const shown = part ?? bins.counts;
  const bars = (name: string, y: Numbers, colour: string): Series => ({
    name,
    y,
    kind: "bars",
    colour,
  });
  return [
    bars("all", bins.counts, part ? palette.pale : palette.out),
    bars(
      "outside",
      shown.map((n, i) => (inside[i] ? null : n)),
      palette.out,
    ),
    bars(
      "inside",
      shown.map((n, i) => (inside[i] ? n : null)),
      palette["chart-1"],
    ),
  ];
}

/** Dragging moves the nearer limit; what is dragged is told once a frame. */
function dragPlugin(latest: () => { props: Props; bins: Bins | null }): uPlot.Plugin {
  return {
    hooks: {
      ready: plot => {
        plot.cursor.drag!.x = false;
        const begin = (event: PointerEvent) => {
          const { props, bins } = latest();
          if (!props.onLimits || !bins || event.button !== 0) return;
          plot.over.setPointerCapture(event.pointerId);
          const at = (e: PointerEvent) =>
            plot.posToVal(e.clientX - plot.over.getBoundingClientRect().left, "x");
          const [low, high] = props.limits,
            v = at(event);
          const which = Math.abs(v - (low ?? bins.low)) < Math.abs(v - (high ?? bins.high)) ? 0 : 1;
          let frame = 0,
            wanted = v;
          const move = (e: PointerEvent) => {
            wanted = at(e);
            frame ||= requestAnimationFrame(() => {
              frame = 0;
              const now = latest();
              now.props.onLimits?.(moved(now.props.limits, which, wanted, bins));
            });
          };
          plot.over.addEventListener("pointermove", move);
          plot.over.addEventListener(
            "pointerup",
            () => plot.over.removeEventListener("pointermove", move),
            { once: true },
          );
        };
        plot.over.style.touchAction = "pan-y";
        plot.over.addEventListener("pointerdown", begin);
      },
    },
  };
}

export function Histogram(props: Props) {
  const { values, limits, title, onLimits, height = 104, part, mark } = props;
  const bins = useMemo(() => binned(values), [values]);
  const inPart = useMemo(
    () => (part && bins ? partOf(values, part, bins) : null),
    [values, part, bins],
  );
  const palette = useColours();
  const spec = useMemo(
    (): Spec | null =>
      bins && {
        title: `histogram of ${title}`,
        x: bins.centres,
        xRange: [bins.low, bins.high],
        xTitle: title,
        yTitle: "how many",
        series: series(bins, limits, inPart),
        marks: [
          ...limits.filter((v): v is number => v !== null).map(x => ({ x })),
          ...(mark != null && isFinite(mark) ? [{ x: mark, colour: palette.soft, text: "▾" }] : []),
        ],
      },
    [bins, limits, inPart, title, mark, palette],
  );
  const latest = useRef({ props, bins });
  useEffect(() => {
    latest.current = { props, bins };
  });
  const plugins = useMemo(() => [dragPlugin(() => latest.current)], []);
  if (!spec || !bins) return <p className="hint">not known</p>;
  const byKey = (event: React.KeyboardEvent) => {
    if (!onLimits || !/^Arrow(Left|Right)$/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const which = event.shiftKey ? 1 : 0,
      step = ((bins.high - bins.low) / bins.counts.length) * (event.key === "ArrowLeft" ? -1 : 1);
    onLimits(moved(limits, which, (limits[which] ?? (which ? bins.high : bins.low)) + step, bins));
  };
  return (
    <div
      className="histogram"
      role="group"
      tabIndex={onLimits ? 0 : undefined}
      aria-label={`histogram of ${title}`}
      aria-description={
        onLimits &&
        `limits from ${limits[0] ?? "lowest"} to ${limits[1] ?? "highest"}; arrow keys move them`
      }
      onKeyDown={byKey}
    >
      <Chart
        bare
        spec={spec}
        height={height}
        legend={false}
        plugins={plugins}
        redraw={spec}
        said={(_, i) => {
          const half = (bins.high - bins.low) / bins.counts.length / 2;
          const [from, to] = [bins.centres[i] - half, bins.centres[i] + half];
          return `${number(from)} to ${number(to)}: ${bins.counts[i]}`;
        }}
      />
    </div>
  );
}

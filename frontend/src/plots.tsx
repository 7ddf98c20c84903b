// Line plots (uPlot) and scatter, histogram (own canvas): all quiet, all with units.
import { useEffect, useMemo, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
type Numbers = (number | null)[];

export function LinePlot({
  x,
  series,
  xTitle,
  height = 180,
  xText,
  yRange,
}: {
  x: number[];
  series: { name: string; y: Numbers }[];
  xTitle: string;
  height?: number;
  xText?: (value: number) => string;
  yRange?: [number, number];
}) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = box.current!;
    const make = () =>
      new uPlot(
        {
          width: el.clientWidth || 300,
          height,
          legend: { show: series.length > 1 },
          cursor: { drag: { x: true, y: false } },
          scales: { x: { time: false }, y: yRange ? { range: yRange } : {} },
          axes: [
            {
              label: xTitle,
              labelSize: 18,
              size: 34,
              font: "11px system-ui",
              labelFont: "11px system-ui",
              stroke: "#5c6b7a",
              grid: { stroke: "#e6ebf0" },
              values: xText ? (_, all) => all.map(xText) : undefined,
            },
            { size: 44, font: "11px system-ui", stroke: "#5c6b7a", grid: { stroke: "#e6ebf0" } },
          ],
          series: [
            {},
            ...series.map((each, index) => ({
              label: each.name,
              stroke: COLOURS[index % COLOURS.length],
              width: 1.5,
              points: { show: false },
            })),
          ],
        },
        [x, ...series.map(each => each.y)] as uPlot.AlignedData,
        el,
      );
    let plot = make();
    const seen = new ResizeObserver(() => plot.setSize({ width: el.clientWidth, height }));
    seen.observe(el);
    return () => {
      seen.disconnect();
      plot.destroy();
    };
  }, [x, series, height, xTitle]); // eslint-disable-line
  return <div ref={box} className="line-plot" />;
}

export interface PointPlotProps {
  x: Numbers;
  y: Numbers;
  keep?: Uint8Array;
  xTitle: string;
  yTitle: string;
  height?: number;
  chosen?: number;
  xText?: (value: number) => string;
  onPick?: (index: number) => void;
  onBrush?: (x: [number, number] | null) => void;
  brush?: [number, number] | null;
}

const PAD = { left: 50, right: 10, top: 10, bottom: 32 };

export function range(values: Numbers): [number, number] {
  let low = Infinity,
    high = -Infinity;
  for (const v of values)
    if (v !== null && isFinite(v)) {
      if (v < low) low = v;
      if (v > high) high = v;
    }
  if (low > high) return [0, 1];
  if (low === high) return [low - 0.5, high + 0.5];
  const pad = (high - low) * 0.03;
  return [low - pad, high + pad];
}

/** Points; those not kept are pale. Click picks the nearest, dragging brushes a range of x. */
export function PointPlot(props: PointPlotProps) {
  const { x, y, keep, xTitle, yTitle, height = 170, chosen, xText, onPick, onBrush, brush } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef({ x: [0, 1] as [number, number], y: [0, 1] as [number, number], w: 1 });
  const drag = useRef<number | null>(null);
  useEffect(() => {
    const el = canvas.current!;
    const draw = () => {
      const w = el.clientWidth || 300,
        ratio = devicePixelRatio || 1;
      el.width = w * ratio;
      el.height = height * ratio;
      const c = el.getContext("2d")!;
      c.scale(ratio, ratio);
      const xr = range(x),
        yr = range(y);
      view.current = { x: xr, y: yr, w };
      const px = (v: number) =>
        PAD.left + ((v - xr[0]) / (xr[1] - xr[0])) * (w - PAD.left - PAD.right);
      const py = (v: number) =>
        height - PAD.bottom - ((v - yr[0]) / (yr[1] - yr[0])) * (height - PAD.top - PAD.bottom);
      axes(c, w, height, xr, yr, px, py, xTitle, yTitle, xText);
      if (brush) {
        c.fillStyle = "#0072b218";
        c.fillRect(
          px(brush[0]),
          PAD.top,
          px(brush[1]) - px(brush[0]),
          height - PAD.top - PAD.bottom,
        );
      }
      const size = x.length > 3000 ? 1.5 : x.length > 300 ? 2.5 : 5;
      for (const pass of [0, 1]) {
        c.fillStyle = pass ? "#0072b2" : "#d55e0066";
        for (let i = 0; i < x.length; i++) {
          const a = x[i],
            b = y[i];
          if (a === null || b === null || (keep ? keep[i] : 1) !== pass) continue;
          c.fillRect(px(a) - size / 2, py(b) - size / 2, size, size);
        }
      }
      if (chosen !== undefined && x[chosen] != null && y[chosen] != null) {
        c.strokeStyle = "#1d2733";
        c.lineWidth = 2;
        c.beginPath();
        c.arc(px(x[chosen]!), py(y[chosen]!), 6, 0, 7);
        c.stroke();
      }
    };
    draw();
    const seen = new ResizeObserver(draw);
    seen.observe(el);
    return () => seen.disconnect();
  }, [x, y, keep, chosen, height, brush, xTitle, yTitle]); // eslint-disable-line
  const valueAt = (clientX: number) => {
    const box = canvas.current!.getBoundingClientRect(),
      { x: xr, w } = view.current;
    return xr[0] + ((clientX - box.left - PAD.left) / (w - PAD.left - PAD.right)) * (xr[1] - xr[0]);
  };
  return (
    <canvas
      ref={canvas}
      className="point-plot"
      style={{ height }}
      role="img"
      aria-label={`${yTitle} against ${xTitle}`}
      onPointerDown={event => {
        drag.current = event.clientX;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={event => {
        if (drag.current !== null && onBrush && Math.abs(event.clientX - drag.current) > 4)
          onBrush(
            [valueAt(drag.current), valueAt(event.clientX)].sort((a, b) => a - b) as [
              number,
              number,
            ],
          );
      }}
      onPointerUp={event => {
        const begin = drag.current;
        drag.current = null;
        if (begin === null || Math.abs(event.clientX - begin) > 4) return;
        if (brush && onBrush) onBrush(null);
        if (!onPick) return;
        const box = canvas.current!.getBoundingClientRect(),
          { x: xr, y: yr, w } = view.current;
        let best = -1,
          least = 400;
        for (let i = 0; i < x.length; i++) {
          if (x[i] === null || y[i] === null) continue;
          const dx =
            PAD.left +
            ((x[i]! - xr[0]) / (xr[1] - xr[0])) * (w - PAD.left - PAD.right) -
            (event.clientX - box.left);
          const dy =
            height -
            PAD.bottom -
            ((y[i]! - yr[0]) / (yr[1] - yr[0])) * (height - PAD.top - PAD.bottom) -
            (event.clientY - box.top);
          if (dx * dx + dy * dy < least) {
            least = dx * dx + dy * dy;
            best = i;
          }
        }
        if (best >= 0) onPick(best);
      }}
    />
  );
}

/** How often each value occurs; what lies outside the limits, or is not in `part`, is pale. Dragging sets a limit; so do the arrow keys (Shift: the upper one). */
export function Histogram({
  values,
  limits,
  title,
  onLimits,
  height = 120,
  text,
  part,
  mark,
}: {
  values: Numbers;
  limits: [number | null, number | null];
  title: string;
  onLimits?: (limits: [number | null, number | null]) => void;
  height?: number;
  text?: (v: number) => string;
  part?: Uint8Array | null;
  mark?: number | null;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const span = useRef<[number, number]>([0, 1]);
  const binned = useMemo(() => {
    const bins = Math.max(12, Math.min(50, Math.round(Math.sqrt(values.length) * 2)));
    const sorted = Float64Array.from(
      values.filter((v): v is number => v !== null && isFinite(v)),
    ).sort();
    if (!sorted.length) return null;
    const low = sorted[Math.floor(sorted.length * 0.002)],
      top = sorted[Math.ceil(sorted.length * 0.998) - 1];
    const high = top > low ? top : low + 1,
      counts = new Array<number>(bins).fill(0);
    for (const v of sorted)
      counts[Math.max(0, Math.min(bins - 1, Math.floor(((v - low) / (high - low)) * bins)))]++;
    return { low, high, counts, bins, most: Math.max(...counts) };
  }, [values]);
  const inPart = useMemo(() => {
    if (!part || !binned) return null;
    const counts = new Array<number>(binned.bins).fill(0);
    values.forEach((v, i) => {
      if (part[i] && v !== null && isFinite(v))
        counts[
          Math.max(
            0,
            Math.min(
              binned.bins - 1,
              Math.floor(((v - binned.low) / (binned.high - binned.low)) * binned.bins),
            ),
          )
        ]++;
    });
    return counts;
  }, [values, part, binned]);
  useEffect(() => {
    const el = canvas.current!;
    const draw = () => {
      const w = el.clientWidth || 240,
        ratio = devicePixelRatio || 1;
      el.width = w * ratio;
      el.height = height * ratio;
      const c = el.getContext("2d")!;
      c.scale(ratio, ratio);
      if (!binned) return;
      const { low, high, counts, bins, most } = binned;
      span.current = [low, high];
      const wide = (w - 16) / bins,
        base = height - 20;
      counts.forEach((n, i) => {
        const middle = low + ((i + 0.5) / bins) * (high - low);
        const inside =
          (limits[0] === null || middle >= limits[0]) &&
          (limits[1] === null || middle <= limits[1]);
        const bar = (m: number, colour: string) => {
          c.fillStyle = colour;
          c.fillRect(
            8 + i * wide,
            base - (m / most) * (base - 8),
            Math.max(1, wide - 1),
            (m / most) * (base - 8),
          );
        };
        if (inPart) bar(n, "#c9d3dc");
        bar(inPart ? inPart[i] : n, inside ? "#0072b2" : inPart ? "#d55e00" : "#d55e0066");
      });
      if (mark != null && isFinite(mark)) {
        const at = 8 + ((Math.max(low, Math.min(high, mark)) - low) / (high - low)) * (w - 16);
        c.fillStyle = "#1d2733";
        c.beginPath();
        c.moveTo(at, base + 1);
        c.lineTo(at - 4, base + 8);
        c.lineTo(at + 4, base + 8);
        c.fill();
      }
      c.fillStyle = "#5c6b7a";
      c.font = "11px system-ui";
      const say = text ?? ((v: number) => String(Number(v.toPrecision(3))));
      c.fillText(say(low), 8, height - 5);
      c.textAlign = "right";
      c.fillText(say(high), w - 8, height - 5);
      c.textAlign = "left";
      c.strokeStyle = "#1d2733";
      c.lineWidth = 1.5;
      for (const limit of limits)
        if (limit !== null) {
          const at = 8 + ((limit - low) / (high - low)) * (w - 16);
          c.beginPath();
          c.moveTo(at, 4);
          c.lineTo(at, base);
          c.stroke();
        }
    };
    draw();
    const seen = new ResizeObserver(draw);
    seen.observe(el);
    return () => seen.disconnect();
  }, [binned, inPart, mark, limits[0], limits[1], height]); // eslint-disable-line
  const byKey = (event: React.KeyboardEvent) => {
    if (!onLimits || !binned || !/^Arrow(Left|Right)$/.test(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    const which = event.shiftKey ? 1 : 0,
      step = ((binned.high - binned.low) / binned.bins) * (event.key === "ArrowLeft" ? -1 : 1);
    const next: [number | null, number | null] = [...limits],
      v = (limits[which] ?? (which ? binned.high : binned.low)) + step;
    next[which] = (which ? v >= binned.high : v <= binned.low) ? null : Number(v.toPrecision(4));
    onLimits(next);
  };
  const at = (clientX: number) => {
    const box = canvas.current!.getBoundingClientRect(),
      [low, high] = span.current;
    return low + ((clientX - box.left - 8) / (box.width - 16)) * (high - low);
  };
  const drag = useRef(-1),
    frame = useRef(0),
    wanted = useRef(limits);
  return (
    <canvas
      ref={canvas}
      className="histogram"
      style={{ height }}
      role={onLimits ? "slider" : "img"}
      tabIndex={onLimits ? 0 : undefined}
      aria-label={`histogram of ${title}`}
      aria-valuetext={`from ${limits[0] ?? "lowest"} to ${limits[1] ?? "highest"}`}
      aria-valuenow={limits[1] ?? 0}
      onKeyDown={byKey}
      onPointerDown={event => {
        if (!onLimits) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        const v = at(event.clientX),
          [low, high] = span.current;
        const toLow = Math.abs(v - (limits[0] ?? low)),
          toHigh = Math.abs(v - (limits[1] ?? high));
        drag.current = toLow < toHigh ? 0 : 1;
      }}
      onPointerMove={event => {
        if (drag.current < 0 || !onLimits) return;
        const next: [number | null, number | null] = [...limits];
        const v = at(event.clientX),
          [low, high] = span.current;
        next[drag.current] = (drag.current === 0 ? v <= low : v >= high)
          ? null
          : Number(v.toPrecision(4));
        if (!frame.current)
          frame.current = requestAnimationFrame(() => {
            frame.current = 0;
            onLimits(wanted.current);
          });
        wanted.current = next;
      }}
      onPointerUp={() => {
        drag.current = -1;
      }}
    />
  );
}

function axes(
  c: CanvasRenderingContext2D,
  w: number,
  h: number,
  xr: [number, number],
  yr: [number, number],
  px: (v: number) => number,
  py: (v: number) => number,
  xTitle: string,
  yTitle: string,
  xText?: (v: number) => string,
) {
  c.clearRect(0, 0, w, h);
  c.font = "11px system-ui";
  c.fillStyle = "#5c6b7a";
  c.strokeStyle = "#e6ebf0";
  c.lineWidth = 1;
  for (const v of ticks(yr, 4)) {
    c.beginPath();
    c.moveTo(PAD.left, py(v));
    c.lineTo(w - PAD.right, py(v));
    c.stroke();
    c.textAlign = "right";
    c.fillText(short(v), PAD.left - 5, py(v) + 4);
  }
  for (const v of ticks(xr, Math.max(2, Math.floor(w / 110)))) {
    c.beginPath();
    c.moveTo(px(v), PAD.top);
    c.lineTo(px(v), h - PAD.bottom);
    c.stroke();
    c.textAlign = px(v) > w - 22 ? "right" : "center";
    c.fillText(xText ? xText(v) : short(v), Math.min(px(v), w - 2), h - PAD.bottom + 13);
  }
  c.textAlign = "center";
  c.fillText(xTitle, (PAD.left + w) / 2, h - 4);
  c.save();
  c.translate(11, (h - PAD.bottom + PAD.top) / 2);
  c.rotate(-Math.PI / 2);
  c.fillText(yTitle, 0, 0);
  c.restore();
  c.textAlign = "left";
}

function short(v: number): string {
  const a = Math.abs(v);
  return a >= 1e6
    ? `${Number((v / 1e6).toPrecision(3))}M`
    : a >= 1e4
      ? `${Number((v / 1e3).toPrecision(3))}k`
      : String(Number(v.toPrecision(3)));
}

function ticks([low, high]: [number, number], n: number): number[] {
  const raw = (high - low) / n,
    power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(m => m * power).find(s => s >= raw)!;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high; v += step)
    found.push(Math.abs(v) < step / 1e6 ? 0 : v);
  return found;
}

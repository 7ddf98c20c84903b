// A plot: axes with units, zoom by dragging (double click: all), the value under the pointer, and its files.
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { colours, useColours } from "../shell/theme";
import { Menu, type Entry } from "../ui/menu";
import { number } from "../ui/words";
import { download, fileName, saveCanvas, toCsv, toSvg } from "./files";
import { marksPlugin } from "./marks";
import "./plots.css";
import type { Spec } from "./spec";
import { optionsOf } from "./uplot";

export interface ChartProps {
  spec: Spec;
  height?: number;
  bare?: boolean; // titles of axes stand elsewhere
  legend?: boolean;
  className?: string;
  plugins?: uPlot.Plugin[]; // kept from first to last: they look at what changes by themselves
  redraw?: unknown; // draw again when this changes
  said?: (plot: uPlot, index: number) => string | null; // at the pointer, instead of every series
  entries?: Entry[]; // more in the menu
  children?: ReactNode;
}

/** What stands at the pointer: x, and every series that has a value there. */
function pointed(spec: Spec, i: number): string {
  const at = (spec.xSaid ?? spec.xText ?? (v => `${number(v, 4)}`))(spec.x[i]);
  const values = spec.series
    .filter(each => each.y[i] != null)
    .map(each => `${spec.series.length > 1 ? `${each.name} ` : ""}${number(each.y[i], 4)}`);
  return [at, ...values].join(" · ");
}

export function Chart(props: ChartProps) {
  const { spec, height = 180, bare = false, legend = spec.series.length > 1, plugins } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const palette = useColours();
  const [at, setAt] = useState<string | null>(null);
  const latest = useRef(props);
  useEffect(() => {
    latest.current = props;
  });
  const shape = JSON.stringify([
    spec.xTitle,
    spec.yTitle,
    spec.yRange,
    spec.series.map(each => [each.name, each.kind, each.colour, each.width, each.dash]),
    height,
    bare,
  ]);
  const data = useMemo(
    () => [spec.x, ...spec.series.map(each => each.y)] as uPlot.AlignedData,
    [spec],
  );
  useEffect(() => {
    const el = box.current!;
    const tell: uPlot.Plugin = {
      hooks: {
        setCursor: u => {
          const { spec: now, said } = latest.current;
          const i = u.cursor.idx;
          setAt(i == null || i >= now.x.length ? null : said ? said(u, i) : pointed(now, i));
        },
      },
    };
    const all = [
      tell,
      marksPlugin(() => latest.current.spec.marks ?? [], colours),
      ...(plugins ?? []),
    ];
    const size = { width: el.clientWidth || 300, height };
    const made = new uPlot(optionsOf(latest.current.spec, palette, size, all, bare), data, el);
    plot.current = made;
    const seen = new ResizeObserver(() => {
      if (el.clientWidth && el.clientWidth !== made.width)
        made.setSize({ width: el.clientWidth, height });
    });
    seen.observe(el);
    return () => {
      seen.disconnect();
      made.destroy();
      plot.current = null;
    };
    // data is set below when it alone changes
  }, [shape, palette, plugins]); // eslint-disable-line react-hooks/exhaustive-deps
  const { redraw } = props;
  useEffect(() => {
    const now = plot.current;
    if (!now) return;
    if (now.data === data) {
      now.redraw(false);
      return;
    }
    const x = now.data[0],
      { min, max } = now.scales.x;
    const zoomed = x.length > 1 && (min! > x[0] || max! < x[x.length - 1]);
    now.setData(data, !zoomed);
    if (zoomed) now.redraw();
  }, [data, redraw]);
  const name = fileName(spec.title);
  const entries: Entry[] = [
    ...(props.entries ?? []),
    { text: "Show all", key: "double click", act: () => plot.current?.setData(data, true) },
    {
      text: "Save as PNG",
      act: () => plot.current && saveCanvas(plot.current.ctx.canvas, `${name}.png`, palette.paper),
    },
    {
      text: "Save as SVG",
      act: () => {
        const { min, max } = plot.current?.scales.x ?? {};
        const view: [number, number] | null = min != null && max != null ? [min, max] : null;
        download(`${name}.svg`, toSvg(spec, view), "image/svg+xml");
      },
    },
    { text: "Save as CSV", act: () => download(`${name}.csv`, toCsv(spec), "text/csv") },
  ];
  return (
    <figure className={`chart ${props.className ?? ""}`}>
      <div
        ref={box}
        role="img"
        aria-label={`${spec.title}: ${spec.yTitle} against ${spec.xTitle}`}
      />
      <span className="chart-at" aria-hidden>
        {at}
      </span>
      <Menu
        title="⋯"
        label={`${spec.title}: save, show all`}
        entries={entries}
        className="plain chart-menu"
      />
      {legend && (
        <figcaption className="chart-legend">
          {spec.series.map(
            (each, n) =>
              each.name && (
                <span key={each.name}>
                  <i
                    style={{ background: each.colour ?? palette.series[n % palette.series.length] }}
                  />{" "}
                  {each.name}
                </span>
              ),
          )}
        </figcaption>
      )}
      {props.children}
    </figure>
  );
}

// Points of two figures; those not kept have another colour. Click chooses the nearest, dragging a range of x.
import { useEffect, useMemo, useRef } from "react";
import { colours } from "../shell/theme";
import type { Entry } from "../ui/menu";
import { Chart } from "./chart";
import { nearest } from "./nearest";
import { pointerPlugin, type Acts } from "./pointer";
import { inOrder, range, short, type Numbers, type Spec } from "./spec";

export interface PointPlotProps {
  x: Numbers;
  y: Numbers;
  keep?: Uint8Array;
  title?: string;
  xTitle: string;
  yTitle: string;
  height?: number;
  chosen?: number;
  xText?: (value: number) => string;
  xSteps?: number[];
  label?: (row: number) => string; // what a point is called
  onPick?: (index: number) => void;
  onBrush?: (x: [number, number] | null) => void;
  brush?: [number, number] | null;
  entries?: Entry[];
}

export function PointPlot(props: PointPlotProps) {
  const { x, y, keep, xTitle, yTitle, xText, xSteps, brush = null, chosen, title } = props;
  const rows = useMemo(() => inOrder(x), [x]);
  const spec = useMemo((): Spec => {
    const palette = colours();
    const part = (wanted: number) =>
      rows.map(i => (y[i] !== null && (keep ? keep[i] : 1) === wanted ? y[i] : null));
    const kept = { name: yTitle, y: part(1), kind: "points" as const, colour: palette["chart-1"] };
    const out = {
      name: "not kept",
      y: part(0),
      kind: "points" as const,
      colour: `${palette.out}99`,
    };
    return {
      title: title ?? `${yTitle} against ${xTitle}`,
      x: rows.map(i => x[i]!),
      xRange: range(x),
      xTitle,
      yTitle,
      xText,
      xSteps,
      series: keep ? [out, kept] : [kept],
    };
  }, [rows, x, y, keep, xTitle, yTitle, xText, xSteps, title]);
  const latest = useRef<Acts>(null!);
  const drawn = useRef({ rows, spec, props });
  useEffect(() => {
    drawn.current = { rows, spec, props };
    latest.current = {
      pick: props.onPick && (i => props.onPick!(rows[i])),
      brush: props.onBrush,
      brushed: brush,
      chosen: chosen === undefined ? -1 : rows.indexOf(chosen),
      series: () => spec.series.map(each => each.y),
      colour: () => ({ ink: colours().ink, shade: `${colours()["chart-1"]}26` }),
    };
  });
  const plugins = useMemo(
    () => [
      pointerPlugin(
        () =>
          latest.current ?? {
            brushed: null,
            chosen: -1,
            series: () => [],
            colour: () => ({ ink: "", shade: "" }),
          },
      ),
    ],
    [],
  );
  return (
    <Chart
      className="point-plot"
      spec={spec}
      height={props.height ?? 170}
      legend={false}
      plugins={plugins}
      entries={props.entries}
      redraw={`${chosen}/${brush}`}
      said={plot => {
        const { rows, spec, props } = drawn.current;
        const i = nearest(
          plot,
          spec.series.map(each => each.y),
          plot.cursor.left ?? 0,
          plot.cursor.top ?? 0,
        );
        if (i < 0) return null;
        const value = spec.series.find(each => each.y[i] != null)!.y[i]!;
        const name = props.label ? `${props.label(rows[i])}: ` : "";
        return `${name}${(props.xText ?? short)(spec.x[i])}, ${short(value)}`;
      }}
    />
  );
}

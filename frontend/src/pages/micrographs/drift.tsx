// The way the specimen moved: one point a frame, the first filled, both axes in the same scale.
import { useMemo } from "react";
import type { MicrographInfo } from "../../api/types";
import { number } from "../../ui/words";

const SIDE = 200,
  PAD = 14;

export function DriftTrack({
  drift,
  scale,
}: {
  drift: NonNullable<MicrographInfo["drift"]>;
  scale: number;
}) {
  const { points, bar, pixels, total } = useMemo(() => {
    const xs = drift.x.map(v => v * scale),
      ys = drift.y.map(v => v * scale);
    const mid = (v: number[]) => (Math.min(...v) + Math.max(...v)) / 2,
      extent = (v: number[]) => Math.max(...v) - Math.min(...v);
    const span = Math.max(extent(xs), extent(ys), 1e-3),
      zoom = (SIDE - 2 * PAD) / span;
    const points = xs.map((x, i): [number, number] => [
      SIDE / 2 + (x - mid(xs)) * zoom,
      SIDE / 2 + (ys[i] - mid(ys)) * zoom,
    ]);
    const power = 10 ** Math.floor(Math.log10(span / 2)),
      bar = [5, 2, 1].map(m => m * power).find(each => each <= span / 2) ?? power;
    const total = xs.reduce(
      (sum, x, i) => (i ? sum + Math.hypot(x - xs[i - 1], ys[i] - ys[i - 1]) : 0),
      0,
    );
    return { points, bar, pixels: bar * zoom, total };
  }, [drift, scale]);
  if (points.length < 2) return <p className="hint">one frame: no track</p>;
  return (
    <>
      <svg
        className="drift"
        viewBox={`0 0 ${SIDE} ${SIDE}`}
        role="img"
        aria-label={`drift over ${points.length} frames, ${number(total)} in all`}
      >
        <polyline
          points={points.map(p => p.map(v => v.toFixed(1)).join(",")).join(" ")}
          fill="none"
          stroke="var(--chart-1)"
          strokeWidth={1.5}
        />
        {points.map(([x, y], i) => (
          <circle
            key={i}
            cx={x}
            cy={y}
            r={i === 0 ? 4 : 2.2}
            fill={i === 0 ? "var(--chart-2)" : "var(--chart-1)"}
          >
            <title>{`frame ${drift.frame[i]}`}</title>
          </circle>
        ))}
        <line
          x1={PAD}
          x2={PAD + pixels}
          y1={SIDE - 5}
          y2={SIDE - 5}
          stroke="var(--ink)"
          strokeWidth={2.5}
        />
        <text x={PAD} y={SIDE - 9} fontSize={11} fill="var(--soft)">
          {number(bar)}
        </text>
      </svg>
      <p className="hint">first frame orange; {number(total)} in all</p>
    </>
  );
}

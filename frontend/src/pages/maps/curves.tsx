// FSC of a model or postprocess file against resolution; without one, the signal to noise of its classes.
import { useMemo } from "react";
import { useData } from "../../hooks";
import { Loading, Problem } from "../../parts";
import { LinePlot } from "../../plots";
import type { Curve } from "../../types";

const MOST = 6;

export function Curves({ pid, path }: { pid: string; path: string }) {
  const curves = useData<Curve[]>(`p/${pid}/maps/curves`, { path });
  const shown = useMemo(() => {
    const fsc =
      curves.data?.filter(
        each => each.name.includes("FSC") && each.y.some(v => v !== null && v !== 0),
      ) ?? [];
    return (
      fsc.length ? fsc : (curves.data?.filter(each => !each.name.includes("FSC")) ?? [])
    ).slice(0, MOST);
  }, [curves.data]);
  if (curves.error) return <Problem text={curves.error} />;
  if (!curves.data) return <Loading />;
  if (!shown.length) return <p className="hint">This file holds no curves.</p>;
  const isFsc = shown[0].name.includes("FSC");
  const series = shown.map(each => ({
    name: each.name.replace("model_", ""),
    y: isFsc ? each.y : each.y.map(v => (v === null ? null : Math.log10(1 + v))),
  }));
  return (
    <>
      {!isFsc && (
        <p className="hint">
          This file has no FSC (it comes from two half sets); shown is the signal to noise of its
          classes.
        </p>
      )}
      <LinePlot
        height={220}
        x={shown[0].x}
        series={series}
        xTitle={isFsc ? "1/Å" : "1/Å (log10(1 + SSNR))"}
        yRange={isFsc ? [-0.1, 1.05] : undefined}
      />
      {isFsc && <p className="hint">{crossing(shown[0].x, shown[0].y, 0.143)}</p>}
    </>
  );
}

/** Where the first curve falls below a limit, in Å, between two shells by a straight line. */
function crossing(x: number[], y: (number | null)[], limit: number): string {
  const at = y.findIndex((v, i) => i > 0 && v !== null && v < limit);
  if (at < 1) return `does not fall below ${limit}`;
  const [a, b] = [y[at - 1] ?? 1, y[at] ?? 0];
  const s = x[at - 1] + ((a - limit) / Math.max(a - b, 1e-9)) * (x[at] - x[at - 1]);
  return s > 0 ? `falls below ${limit} at ${(1 / s).toFixed(2)} Å` : "";
}

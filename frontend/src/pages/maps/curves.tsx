// FSC of a model or postprocess file against resolution; without one, the signal to noise of its classes.
import { useMemo } from "react";
import type { Curve } from "../../api/types";
import { useData } from "../../hooks";
import { asResolution, LinePlot } from "../../plots/lines";
import { crossing } from "./crossing";
import { Loading, Problem } from "../../ui/parts";

const MOST = 6,
  FSC_RANGE: [number, number] = [-0.1, 1.05],
  GOLD = [{ y: 0.143, text: "0.143" }];

const isFsc = (curve: Curve) => curve.name.includes("FSC");
const holds = (curve: Curve) => curve.y.some(v => v !== null && v !== 0);

export function Curves({ pid, path }: { pid: string; path: string }) {
  const curves = useData<Curve[]>(`p/${pid}/maps/curves`, { path });
  const shown = useMemo(() => {
    const all = (curves.data ?? []).filter(each => !each.name.includes("guinier"));
    const fsc = all.filter(each => isFsc(each) && holds(each));
    return (fsc.length ? fsc : all.filter(each => !isFsc(each))).slice(0, MOST);
  }, [curves.data]);
  const ofFsc = shown.length > 0 && isFsc(shown[0]);
  const series = useMemo(
    () =>
      shown.map(each => ({
        name: each.name.replace(/^(model_|fsc )/, ""),
        y: ofFsc ? each.y : each.y.map(v => (v === null ? null : Math.log10(1 + v))),
      })),
    [shown, ofFsc],
  );
  if (curves.error) return <Problem text={curves.error} />;
  if (!curves.data) return <Loading />;
  if (!shown.length) return <p className="hint">This file holds no curves.</p>;
  return (
    <>
      {!ofFsc && (
        <p className="hint">
          This file has no FSC (it comes from two half sets); shown is the signal to noise of its
          classes.
        </p>
      )}
      <LinePlot
        title={ofFsc ? "Fourier shell correlation" : "Signal to noise"}
        height={230}
        x={shown[0].x}
        series={series}
        xTitle="spatial frequency (1/Å)"
        yTitle={ofFsc ? "FSC" : "log10(1 + SSNR)"}
        xSaid={asResolution}
        yRange={ofFsc ? FSC_RANGE : undefined}
        marks={ofFsc ? GOLD : undefined}
      />
      {ofFsc && (
        <p className="hint">
          {series[0].name} {crossing(shown[0].x, shown[0].y, 0.143)}
        </p>
      )}
    </>
  );
}

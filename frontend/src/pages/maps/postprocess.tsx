// A post-processing: its resolution and why, B-factor, what is not to be trusted; the Guinier plot with its line.
import { useMemo } from "react";
import type { Postprocess } from "../../api/types";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { LinePlot } from "../../plots/lines";
import { Problem } from "../../ui/parts";
import { baseName, number } from "../../ui/words";

const usePostprocess = (path: string) => {
  const { pid } = useProject();
  return useData<Postprocess>(`p/${pid}/maps/postprocess`, { path });
};

export function Verdict({ path }: { path: string }) {
  const found = usePostprocess(path);
  if (found.error) return <Problem text={found.error} />;
  const p = found.data;
  if (!p) return null;
  return (
    <div className="post-verdict">
      <p>
        {p.resolution_angst !== null && <b className="big">{p.resolution_angst.toFixed(2)} Å</b>}{" "}
        {p.reason}
      </p>
      <p className="hint">
        {[
          p.b_factor_angst2 !== null && `B-factor ${number(p.b_factor_angst2, 4)} Å²`,
          p.random_from_angst !== null && `phases random from ${number(p.random_from_angst)} Å on`,
          p.mask && `mask ${baseName(p.mask)}`,
        ]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {p.distrust.map(each => (
        <p key={each} className="warn" role="note">
          ! {each}
        </p>
      ))}
    </div>
  );
}

/** Logarithms of amplitudes against 1/d²; the fitted line has the slope B / 4. */
export function Guinier({ path }: { path: string }) {
  const p = usePostprocess(path).data;
  const series = useMemo(() => {
    if (!p?.guinier.length) return [];
    const x = p.guinier[0].x;
    const curves = p.guinier.map(each => ({ name: each.name, y: each.y }));
    if (p.slope === null || p.intercept === null) return curves;
    const line = x.map(v => p.intercept! + p.slope! * v);
    return [...curves, { name: "line", y: line, dash: [5, 4] }];
  }, [p]);
  if (!p) return null;
  if (!series.length) return <p className="hint">This file has no Guinier plot.</p>;
  return (
    <>
      <LinePlot
        title="Guinier plot"
        height={230}
        x={p.guinier[0].x}
        series={series}
        xTitle="1/d² (1/Å²)"
        yTitle="ln(amplitude)"
        xSaid={resolutionOf}
      />
      {p.slope !== null && (
        <p className="hint">
          slope {number(p.slope, 4)} Å²: B = {number(4 * p.slope, 4)} Å²
          {p.correlation !== null && `; r² of the line ${number(p.correlation)}`}
        </p>
      )}
    </>
  );
}
const resolutionOf = (v: number) => (v > 0 ? `${number(1 / Math.sqrt(v))} Å` : "∞");

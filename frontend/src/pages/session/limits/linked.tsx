// Two plots that share one selection: a figure in time, and against another.
import { useMemo, useState } from "react";
import { titled } from "../../../figures";
import { usePersisted } from "../../../hooks";
import { PointPlot } from "../../../plots/points";
import { MINUTES } from "../../../plots/spec";
import { baseName } from "../../../ui/words";
import { clock, figureOf, type Sheet } from "../data";

const TALL = 230;

export function LinkedPlots({
  sheet,
  keep,
  chosen,
  choose,
  brush,
  onBrush,
}: {
  sheet: Sheet;
  keep: Uint8Array;
  chosen?: number;
  choose: (i: number) => void;
  brush: [number, number] | null;
  onBrush: (range: [number, number] | null) => void;
}) {
  const [pair, setPair] = usePersisted<[string, string]>("session.figures", [
    "defocus_u_angst",
    "ctf_resolution_angst",
  ]);
  const [range, setRange] = useState<[number, number] | null>(null);
  const a = figureOf(sheet, pair[0]) ?? sheet.kinds[0],
    b = figureOf(sheet, pair[1]) ?? sheet.kinds[1] ?? sheet.kinds[0];
  const both = useMemo(() => {
    // a range drawn in the scatter narrows what all plots show
    if (!range) return keep;
    const found = Uint8Array.from(keep);
    sheet.columns[a.key].forEach((v, i) => {
      if (v === null || v < range[0] || v > range[1]) found[i] = 0;
    });
    return found;
  }, [keep, range, sheet, a]);
  const choice = (value: string, set: (key: string) => void, label: string) => (
    <select value={value} onChange={event => set(event.target.value)} aria-label={label}>
      {sheet.kinds.map(each => (
        <option key={each.key} value={each.key}>
          {each.title}
        </option>
      ))}
    </select>
  );
  const common = {
    y: sheet.columns[b.key],
    keep: both,
    yTitle: titled(b),
    chosen,
    onPick: choose,
    height: TALL,
    label: (row: number) => baseName(sheet.names[row]),
  };
  return (
    <section className="linked" aria-label="plots">
      <div>
        <h3>
          In time {choice(b.key, key => setPair([a.key, key]), "figure in time")}{" "}
          {brush && (
            <button className="plain" onClick={() => onBrush(null)}>
              all times ✕
            </button>
          )}
        </h3>
        <PointPlot
          {...common}
          x={sheet.times}
          xTitle="time of day"
          title={`${b.title} in time`}
          xText={clock}
          xSteps={MINUTES}
          brush={brush}
          onBrush={onBrush}
        />
      </div>
      <div>
        <h3>
          Against{" "}
          {choice(
            a.key,
            key => {
              setRange(null);
              setPair([key, b.key]);
            },
            "figure across",
          )}{" "}
          {range && (
            <button className="plain" onClick={() => setRange(null)}>
              all ✕
            </button>
          )}
        </h3>
        <PointPlot
          {...common}
          x={sheet.columns[a.key]}
          xTitle={titled(a)}
          title={`${b.title} against ${a.title}`}
          brush={range}
          onBrush={setRange}
        />
      </div>
    </section>
  );
}

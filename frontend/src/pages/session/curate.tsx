// Histograms with limits that tell what they would drop before they do, and plots that share one selection.
import { useMemo, useState } from "react";
import { FIGURES, titled } from "../../figures";
import { usePersisted } from "../../hooks";
import { Histogram, PointPlot } from "../../plots";
import { count, number } from "../../words";
import { clock, saidThresholds, type Limits, type Sheet } from "./data";

export function Thresholds({
  sheet,
  limits,
  setLimits,
  dropped,
  part,
  chosen,
  apply,
  clearStanding,
}: {
  sheet: Sheet;
  limits: Limits;
  setLimits: (limits: Limits) => void;
  dropped: Uint8Array;
  part: Uint8Array | null;
  chosen?: number;
  apply?: () => void;
  clearStanding?: () => void;
}) {
  const keys = Object.keys(sheet.columns);
  const active = Object.values(limits).some(([low, high]) => low !== null || high !== null);
  const [n, particles] = useMemo(() => {
    let n = 0,
      p = 0;
    dropped.forEach((each, i) => {
      if (each) {
        n++;
        p += sheet.particles[i] ?? 0;
      }
    });
    return [n, p];
  }, [dropped, sheet]);
  const kept = useMemo(() => sheet.kind.filter(each => !each).length, [sheet]);
  return (
    <section className="thresholds" aria-label="figures and limits">
      <header>
        <h2>Figures and limits</h2>
        <span className="preview" data-testid="preview" role="status">
          {active ? (
            <>
              would drop <b>{count(n)}</b> of {count(kept)} micrographs,{" "}
              <b>{count(Math.round(particles))}</b> {sheet.live ? "particles" : "picks"}
            </>
          ) : (
            "drag in a histogram (or ← → on it) to set a limit; nothing is dropped before you apply it"
          )}
        </span>
        <span className="grow" />
        {sheet.thresholds && (
          <span className="hint">
            in force: {saidThresholds(sheet.thresholds)}
            {clearStanding && (
              <button className="plain" onClick={clearStanding} title="take these limits away">
                ✕
              </button>
            )}
          </span>
        )}
        <button disabled={!active} onClick={() => setLimits({})}>
          Clear
        </button>
        <button
          className="main"
          disabled={!active || !apply || n === kept}
          onClick={apply}
          title={
            sheet.live
              ? "the session sets micrographs aside, with the reason; each can be taken back"
              : "makes Select jobs; the micrographs stay where they are"
          }
        >
          {sheet.live ? "Apply to the session" : "Make Select job"}
        </button>
      </header>
      <div className="histograms">
        {keys.map(key => (
          <figure key={key}>
            <figcaption>
              {titled(key)}{" "}
              <small>
                {limits[key]?.[0] != null && `≥ ${number(limits[key][0])} `}
                {limits[key]?.[1] != null && `≤ ${number(limits[key][1])}`}
              </small>
            </figcaption>
            <Histogram
              values={sheet.columns[key]}
              title={titled(key)}
              limits={limits[key] ?? [null, null]}
              height={84}
              part={part}
              mark={chosen === undefined ? null : sheet.columns[key][chosen]}
              onLimits={next => setLimits({ ...limits, [key]: next })}
            />
          </figure>
        ))}
      </div>
    </section>
  );
}

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
  const [pair, setPair] = usePersisted<[string, string]>("session.pair", [
    "defocus_u_angst",
    "fit_resolution_angst",
  ]);
  const [range, setRange] = useState<[number, number] | null>(null);
  const keys = Object.keys(sheet.columns);
  const a = keys.includes(pair[0]) ? pair[0] : keys[0],
    b = keys.includes(pair[1]) ? pair[1] : (keys[1] ?? keys[0]);
  const both = useMemo(() => {
    // a range drawn in the scatter narrows what all plots show
    if (!range) return keep;
    const found = Uint8Array.from(keep);
    sheet.columns[a].forEach((v, i) => {
      if (v === null || v < range[0] || v > range[1]) found[i] = 0;
    });
    return found;
  }, [keep, range, sheet, a]);
  const choice = (value: string, set: (key: string) => void, label: string) => (
    <select value={value} onChange={event => set(event.target.value)} aria-label={label}>
      {keys.map(key => (
        <option key={key} value={key}>
          {FIGURES[key].title}
        </option>
      ))}
    </select>
  );
  return (
    <section className="linked" aria-label="plots">
      <div>
        <h3>
          In time {choice(b, key => setPair([a, key]), "figure in time")}{" "}
          {brush && (
            <button className="plain" onClick={() => onBrush(null)}>
              all times ✕
            </button>
          )}
        </h3>
        <PointPlot
          x={sheet.times}
          y={sheet.columns[b]}
          keep={both}
          xTitle="time"
          yTitle={titled(b)}
          xText={clock}
          chosen={chosen}
          onPick={choose}
          brush={brush}
          onBrush={onBrush}
          height={230}
        />
      </div>
      <div>
        <h3>
          Against{" "}
          {choice(
            a,
            key => {
              setRange(null);
              setPair([key, b]);
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
          x={sheet.columns[a]}
          y={sheet.columns[b]}
          keep={both}
          xTitle={titled(a)}
          yTitle={titled(b)}
          chosen={chosen}
          onPick={choose}
          brush={range}
          onBrush={setRange}
          height={230}
        />
      </div>
    </section>
  );
}

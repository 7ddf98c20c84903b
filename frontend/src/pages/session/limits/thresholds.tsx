// Histograms with limits that tell what they would drop before they do.
import { useMemo } from "react";
import { titled } from "../../../figures";
import { Histogram } from "../../../plots/histogram";
import { count, number } from "../../../ui/words";
import type { Sheet } from "../data";
import { anySet, saidThresholds, type Limits } from "./limits";
import { usePreview, type LimitActs } from "./acts";

interface Props extends LimitActs {
  sheet: Sheet;
  name: string;
  limits: Limits;
  setLimits: (limits: Limits) => void;
  dropped: Uint8Array;
  part: Uint8Array | null;
  chosen?: number;
}

export function Thresholds(props: Props) {
  const { sheet, limits, setLimits, dropped, part, chosen, apply, clearStanding } = props;
  const active = anySet(limits);
  const preview = usePreview(sheet, props.name, limits);
  const here = useMemo(() => {
    let drop = 0,
      particles = 0;
    dropped.forEach((each, i) => {
      if (!each) return;
      drop++;
      particles += sheet.particles[i] ?? 0;
    });
    return { drop, particles };
  }, [dropped, sheet]);
  const drop = preview?.drop ?? here.drop,
    particles = preview?.drop_particles ?? here.particles;
  const kept = useMemo(() => sheet.kind.filter(each => !each).length, [sheet]);
  return (
    <section className="thresholds" aria-label="figures and limits">
      <header>
        <h2>Figures and limits</h2>
        <span className="preview" data-testid="preview" role="status">
          {active ? (
            <>
              would drop <b>{count(drop)}</b> of {count(kept)} micrographs,{" "}
              <b>{count(Math.round(particles))}</b> {sheet.live ? "particles" : "picks"}
              {preview && preview.back > 0 && <>, and take {count(preview.back)} back</>}
            </>
          ) : (
            "drag in a histogram (or ← → on it) to set a limit; nothing is dropped before you apply it"
          )}
        </span>
        <span className="grow" />
        {sheet.thresholds && (
          <span className="hint">
            in force: {saidThresholds(sheet.thresholds, sheet.kinds)}
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
          disabled={!active || !apply || here.drop === kept}
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
        {sheet.kinds.map(kind => (
          <section key={kind.key}>
            <h3 title={kind.definition}>
              {titled(kind)}{" "}
              <small>
                {limits[kind.key]?.[0] != null && `≥ ${number(limits[kind.key][0])} `}
                {limits[kind.key]?.[1] != null && `≤ ${number(limits[kind.key][1])}`}
              </small>
            </h3>
            <Histogram
              values={sheet.columns[kind.key]}
              title={titled(kind)}
              limits={limits[kind.key] ?? NONE}
              part={part}
              mark={chosen === undefined ? null : sheet.columns[kind.key][chosen]}
              onLimits={next => setLimits({ ...limits, [kind.key]: next })}
            />
          </section>
        ))}
      </div>
    </section>
  );
}

const NONE: [null, null] = [null, null];

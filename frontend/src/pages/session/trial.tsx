// Trial settings beside the present ones: one micrograph in all stages, or picking on three at once.
import { useEffect, useMemo, useState } from "react";
import { address, post } from "../../api";
import { useProject } from "../../context";
import { attempt, useData } from "../../hooks";
import { Dialog, Loading, Problem } from "../../parts";
import { baseName, count, number } from "../../words";
import type { Drawn, Sheet, Shown, TrialShown } from "./data";
import { ApplyBar, StageFields, useChanges, type StageSettings } from "./settings";
import { MicrographThumb, picksPath, thumbnail } from "./thumb";

interface Props {
  session: string;
  sheet: Sheet;
  close: () => void;
}

function useTrial(session: string) {
  const { pid } = useProject();
  const [found, setFound] = useState<TrialShown[]>([]);
  const [busy, setBusy] = useState(false);
  const [stamp, setStamp] = useState(0);
  const run = async (micrographs: number[], values: Record<string, string>) => {
    setBusy(true);
    const answer = await attempt(
      post<TrialShown[]>(`p/${pid}/live/${session}/try`, { micrographs, values }),
    );
    setBusy(false);
    if (answer) {
      setFound(answer);
      setStamp(Date.now());
    }
  };
  return { found, busy, stamp, run };
}

const adjustOf = (settings: StageSettings | null, values: Record<string, string> = {}) =>
  Number(values["AutoPick.log_adjust_thr"] ?? settings?.AutoPick?.options.log_adjust_thr) || 0;
/** Figure of merit a pick needs: the automatic threshold, moved as the options say. */
export const thresholdOf = (drawn: Drawn | null, adjust: number) =>
  drawn?.picks.threshold == null ? null : drawn.picks.threshold + adjust;
const diameterOf = (settings: StageSettings | null, values: Record<string, string> = {}) =>
  Number(values["AutoPick.log_diam_max"] ?? settings?.AutoPick?.options.log_diam_max) || 150;

export function TrialDialog({ session, sheet, close, start }: Props & { start: number }) {
  const { pid } = useProject();
  const settings = useData<StageSettings>(`p/${pid}/live/${session}/settings`);
  const { values, change } = useChanges(settings.data);
  const { found, busy, stamp, run } = useTrial(session);
  const [tried, setTried] = useState("");
  const key = JSON.stringify(values),
    i = start,
    made = found[0];
  const present = useData<Shown[]>(`p/${pid}/live/${session}/shown`, {
    numbers: [sheet.numbers[i]],
  });
  const spectrum = address(`p/${pid}/live/${session}/spectrum/${sheet.numbers[i]}`);
  const act = () => {
    setTried(key);
    void run([sheet.numbers[i]], values);
  };
  return (
    <Dialog
      title={`Trial settings on movie ${sheet.numbers[i]}: ${baseName(sheet.names[i])}`}
      close={close}
      wide="huge"
    >
      <form
        onSubmit={event => {
          event.preventDefault();
          if (!busy && Object.keys(values).length) act();
        }}
      >
        <div className="dialog-body trial">
          {settings.error ? (
            <Problem text={settings.error} retry={settings.reload} />
          ) : !settings.data ? (
            <Loading what="settings" />
          ) : (
            <>
              <StageFields
                settings={settings.data}
                values={values}
                change={change}
                first="AutoPick"
              />
              <div className="trial-result">
                {made?.aside && (
                  <p className="why-aside">On trial this movie would be set aside: {made.aside}</p>
                )}
                <div className="side-by-side">
                  <Side
                    title="now"
                    adjust={adjustOf(settings.data)}
                    drawn={made?.now ?? present.data?.[0] ?? null}
                    spectrum={spectrum}
                    diameter={diameterOf(settings.data)}
                    picture={thumbnail(pid, sheet.names[i], 512, sheet.times[i] ?? 0)}
                  />
                  <Side
                    title="on trial"
                    adjust={adjustOf(settings.data, values)}
                    drawn={made?.trial ?? null}
                    diameter={diameterOf(settings.data, values)}
                    colour="#e69f00"
                    empty={busy ? "working …" : "change options at the left, then Try"}
                    spectrum={
                      made?.new.spectrum
                        ? address(`p/${pid}/live/${session}/try/${made.number}/spectrum`, {
                            v: stamp,
                          })
                        : made
                          ? spectrum
                          : ""
                    }
                    picture={
                      made?.trial
                        ? made.new.micrograph
                          ? address(`p/${pid}/live/${session}/try/${made.number}/micrograph`, {
                              side: 512,
                              v: stamp,
                            })
                          : thumbnail(pid, sheet.names[i], 512, sheet.times[i] ?? 0)
                        : ""
                    }
                  />
                </div>
                {made && made.figures.length > 0 && (
                  <table className="figures-table compare">
                    <thead>
                      <tr>
                        <th />
                        <th>now</th>
                        <th>on trial</th>
                      </tr>
                    </thead>
                    <tbody>
                      {made.figures.map(each => (
                        <tr key={each.key} className={each.now !== each.trial ? "differs" : ""}>
                          <th>
                            {each.title} <small>{each.unit}</small>
                          </th>
                          <td>{number(each.now, 4)}</td>
                          <td>{number(each.trial, 4)}</td>
                        </tr>
                      ))}
                    </tbody>
                  </table>
                )}
              </div>
            </>
          )}
        </div>
        <footer>
          <ApplyBar
            session={session}
            values={values}
            ready={tried === key && !busy && found.length > 0}
            busy={busy}
            done={close}
          />
          <span className="grow" />
          <button type="button" onClick={close}>
            Close
          </button>
          <button className="main" disabled={busy || !Object.keys(values).length}>
            {busy ? "working …" : "Try"} <kbd>Enter</kbd>
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function Side({
  title,
  drawn,
  picture,
  spectrum,
  diameter,
  adjust,
  colour,
  empty,
}: {
  title: string;
  drawn: Drawn | null;
  picture: string;
  spectrum: string;
  diameter: number;
  adjust: number;
  colour?: string;
  empty?: string;
}) {
  const threshold = thresholdOf(drawn, adjust),
    picks = drawn ? picksPath(drawn, diameter, threshold).count : null;
  return (
    <figure className="side">
      <figcaption>
        <b>{title}</b>
        {picks !== null && ` · ${count(picks)} picks`}
      </figcaption>
      {picture ? (
        <MicrographThumb
          wide
          alt={title}
          src={picture}
          drawn={drawn}
          diameterAngst={diameter}
          threshold={threshold}
          colour={colour}
        />
      ) : (
        <div className="empty-side">{empty}</div>
      )}
      {spectrum && (
        <img
          className="spectrum"
          alt={`power spectrum ${title}`}
          src={spectrum}
          onError={event => {
            event.currentTarget.style.display = "none";
          }}
          onLoad={event => {
            event.currentTarget.style.display = "";
          }}
        />
      )}
    </figure>
  );
}

/** Three micrographs that differ: of the accepted ones those of least, middle and most defocus. */
function threeOf(sheet: Sheet): number[] {
  const rows = sheet.names
    .map((_, i) => i)
    .filter(
      i => sheet.names[i].endsWith(".mrc") && !sheet.kind[i] && sheet.columns.picks?.[i] != null,
    );
  const by = sheet.columns.defocus_u_angst;
  if (by) rows.sort((a, b) => (by[a] ?? 0) - (by[b] ?? 0));
  return [
    ...new Set(
      [
        rows[Math.floor(rows.length * 0.1)],
        rows[Math.floor(rows.length / 2)],
        rows[Math.floor(rows.length * 0.9)],
      ].filter(i => i !== undefined),
    ),
  ];
}

/** Picking on three micrographs: diameters are tried by picking again, the threshold moves at once. */
export function TuneDialog({ session, sheet, close }: Props) {
  const { pid } = useProject();
  const settings = useData<StageSettings>(`p/${pid}/live/${session}/settings`);
  const [rows, setRows] = useState(() => threeOf(sheet));
  const numbers = rows.map(i => sheet.numbers[i]);
  const shown = useData<Shown[]>(`p/${pid}/live/${session}/shown`, { numbers });
  const { values, change } = useChanges(settings.data);
  const { found, busy, run } = useTrial(session);
  const [tried, setTried] = useState("");
  const options = settings.data?.AutoPick?.options ?? {};
  const byBlobs = options.do_log === "Yes";
  const adjust = adjustOf(settings.data, values);
  const others = useMemo(
    () =>
      JSON.stringify(
        Object.entries(values)
          .filter(([key]) => !byBlobs || key !== "AutoPick.log_adjust_thr")
          .sort(),
      ),
    [values, byBlobs],
  );
  const key = others + numbers.join();
  const current = (n: number): Drawn | null =>
    (tried === key && found.find(each => each.number === n)?.trial) ||
    (others === "[]" ? (shown.data?.find(each => each.number === n) ?? null) : null);
  const act = () => {
    setTried(key);
    void run(numbers, values);
  };
  const step = (slot: number, by: number) =>
    setRows(
      rows.map((i, n) => {
        if (n !== slot) return i;
        let j = i + by;
        while (
          j >= 0 &&
          j < sheet.names.length &&
          (!sheet.names[j].endsWith(".mrc") || rows.includes(j))
        )
          j += by;
        return j >= 0 && j < sheet.names.length ? j : i;
      }),
    );
  useEffect(() => {
    if (byBlobs && others !== "[]" && !busy && tried !== key) {
      const timer = setTimeout(act, 600);
      return () => clearTimeout(timer);
    }
  }, [key, byBlobs, busy]); // eslint-disable-line
  const slider = (option: string, title: string, low: number, high: number, by: number) => {
    const value = values[`AutoPick.${option}`] ?? options[option] ?? "0";
    return (
      <label className="slider tune">
        {title}{" "}
        <input
          className="number"
          value={value}
          onChange={event => change("AutoPick", option, event.target.value)}
          aria-label={title}
        />
        <input
          type="range"
          min={low}
          max={high}
          step={by}
          value={Number(value)}
          tabIndex={-1}
          aria-hidden
          onChange={event => change("AutoPick", option, event.target.value)}
        />
      </label>
    );
  };
  return (
    <Dialog title="Tune picking on three micrographs" close={close} wide="huge">
      <form
        onSubmit={event => {
          event.preventDefault();
          if (!busy) act();
        }}
      >
        <div className="dialog-body">
          {settings.error ? (
            <Problem text={settings.error} retry={settings.reload} />
          ) : !settings.data ? (
            <Loading what="settings" />
          ) : !rows.length ? (
            <p className="hint">No micrograph has been picked yet.</p>
          ) : (
            <>
              {byBlobs && (
                <div className="tune-bar">
                  {slider("log_diam_min", "Smallest diameter (Å)", 20, 600, 5)}
                  {slider("log_diam_max", "Largest diameter (Å)", 20, 800, 5)}
                  {slider("log_adjust_thr", "Threshold (σ, more: fewer picks)", -3, 3, 0.05)}
                  <span className="hint" role="status">
                    {busy
                      ? "picking …"
                      : tried === key || others === "[]"
                        ? ""
                        : "picks again in a moment"}
                  </span>
                </div>
              )}
              {!byBlobs && (
                <details className="tune-fields" open>
                  <summary>Options of picking</summary>
                  <StageFields
                    settings={{ AutoPick: settings.data.AutoPick }}
                    values={values}
                    change={change}
                    first="AutoPick"
                  />
                </details>
              )}
              <div className="three">
                {rows.map((i, slot) => {
                  const drawn = current(sheet.numbers[i]),
                    at = thresholdOf(drawn, adjust);
                  const before = sheet.columns.picks?.[i];
                  return (
                    <figure key={slot} className="side">
                      <figcaption>
                        <button
                          type="button"
                          className="plain"
                          onClick={() => step(slot, -1)}
                          aria-label="the one before"
                        >
                          ←
                        </button>{" "}
                        <b>{sheet.numbers[i]}</b>{" "}
                        <small>
                          {sheet.columns.defocus_u_angst?.[i] != null &&
                            `${number(sheet.columns.defocus_u_angst[i])} µm`}
                        </small>{" "}
                        <button
                          type="button"
                          className="plain"
                          onClick={() => step(slot, 1)}
                          aria-label="the one after"
                        >
                          →
                        </button>
                        <span className="grow" />
                        <span data-testid="tune-count">
                          {drawn ? count(picksPath(drawn, 1, at).count) : "…"}
                        </span>{" "}
                        picks{before != null && <small> now {count(before)}</small>}
                      </figcaption>
                      <MicrographThumb
                        wide
                        alt={baseName(sheet.names[i])}
                        src={thumbnail(pid, sheet.names[i], 1024, sheet.times[i] ?? 0)}
                        drawn={drawn}
                        diameterAngst={diameterOf(settings.data, values)}
                        threshold={at}
                        colour="#e69f00"
                      />
                    </figure>
                  );
                })}
              </div>
            </>
          )}
        </div>
        <footer>
          <ApplyBar
            session={session}
            values={values}
            ready={!busy && (others === "[]" || tried === key)}
            busy={busy}
            done={close}
          />
          <span className="grow" />
          <button type="button" onClick={close}>
            Close
          </button>
          {!byBlobs && (
            <button className="main" disabled={busy}>
              {busy ? "picking …" : "Try"}
            </button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}

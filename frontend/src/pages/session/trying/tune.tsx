// Picking tuned on three micrographs at once: diameters pick again, the threshold moves at once.
import { useEffect, useMemo, useState } from "react";
import { useProject } from "../../../context";
import { useData } from "../../../hooks";
import { Dialog, DialogError } from "../../../ui/dialog";
import { Loading, Problem } from "../../../ui/parts";
import { baseName, count, number } from "../../../ui/words";
import { ApplyBar } from "./apply";
import type { Drawn, Sheet, Shown } from "../data";
import { StageFields, useChanges, type StageSettings } from "./settings";
import { MicrographThumb, picksPath, thumbnail } from "./thumb";
import { adjustOf, diameterOf, thresholdOf, useTrial } from "./use";

interface Props {
  session: string;
  sheet: Sheet;
  close: () => void;
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

/** The changes for which picking has to be done again: the threshold of blobs moves without. */
function repicked(values: Record<string, string>, byBlobs: boolean): string {
  const found = Object.entries(values).filter(
    ([key]) => !byBlobs || key !== "AutoPick.log_adjust_thr",
  );
  return JSON.stringify(found.sort());
}

/** Picking on three micrographs: diameters are tried by picking again, the threshold moves at once. */
export function TuneDialog({ session, sheet, close }: Props) {
  const { pid } = useProject();
  const settings = useData<StageSettings>(`p/${pid}/live/${session}/settings`);
  const [rows, setRows] = useState(() => threeOf(sheet));
  const numbers = rows.map(i => sheet.numbers[i]);
  const shown = useData<Shown[]>(`p/${pid}/live/${session}/shown`, { numbers });
  const { values, change } = useChanges(settings.data);
  const { found, busy, run, error } = useTrial(session);
  const [tried, setTried] = useState("");
  const options = settings.data?.AutoPick?.options ?? {};
  const byBlobs = options.do_log === "Yes";
  const adjust = adjustOf(settings.data, values);
  const others = useMemo(() => repicked(values, byBlobs), [values, byBlobs]);
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
  const slid = (option: string) => ({
    value: values[`AutoPick.${option}`] ?? options[option] ?? "0",
    change: (text: string) => change("AutoPick", option, text),
  });
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
                  <Slider
                    {...slid("log_diam_min")}
                    title="Smallest diameter (Å)"
                    low={20}
                    high={600}
                    by={5}
                  />
                  <Slider
                    {...slid("log_diam_max")}
                    title="Largest diameter (Å)"
                    low={20}
                    high={800}
                    by={5}
                  />
                  <Slider
                    {...slid("log_adjust_thr")}
                    title="Threshold (σ, more: fewer picks)"
                    low={-3}
                    high={3}
                    by={0.05}
                  />
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
                {rows.map((i, slot) => (
                  <One
                    key={slot}
                    sheet={sheet}
                    i={i}
                    drawn={current(sheet.numbers[i])}
                    adjust={adjust}
                    diameter={diameterOf(settings.data, values)}
                    step={by => step(slot, by)}
                  />
                ))}
              </div>
            </>
          )}
        </div>
        <DialogError text={error} />
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

function Slider({
  title,
  value,
  low,
  high,
  by,
  change,
}: {
  title: string;
  value: string;
  low: number;
  high: number;
  by: number;
  change: (text: string) => void;
}) {
  return (
    <label className="slider tune">
      {title}{" "}
      <input
        className="number"
        value={value}
        onChange={event => change(event.target.value)}
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
        onChange={event => change(event.target.value)}
      />
    </label>
  );
}

/** One of the micrographs, with arrows to the one before and after. */
function One({
  sheet,
  i,
  drawn,
  adjust,
  diameter,
  step,
}: {
  sheet: Sheet;
  i: number;
  drawn: Drawn | null;
  adjust: number;
  diameter: number;
  step: (by: number) => void;
}) {
  const { pid } = useProject();
  const at = thresholdOf(drawn, adjust),
    before = sheet.columns.picks?.[i],
    defocus = sheet.columns.defocus_u_angst?.[i];
  return (
    <figure className="side">
      <figcaption>
        <button
          type="button"
          className="plain"
          onClick={() => step(-1)}
          aria-label="the one before"
        >
          ←
        </button>{" "}
        <b>{sheet.numbers[i]}</b> <small>{defocus != null && `${number(defocus)} µm`}</small>{" "}
        <button type="button" className="plain" onClick={() => step(1)} aria-label="the one after">
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
        diameterAngst={diameter}
        threshold={at}
        colour="#e69f00"
      />
    </figure>
  );
}

// Trial settings on one micrograph in all stages, beside what it has now.
import { useState } from "react";
import { address } from "../../../api/http";
import { useProject } from "../../../context";
import { useData } from "../../../hooks";
import { Dialog, DialogError } from "../../../ui/dialog";
import { Loading, Problem } from "../../../ui/parts";
import { baseName, number } from "../../../ui/words";
import { ApplyBar } from "./apply";
import type { Sheet, Shown } from "../data";
import { StageFields, useChanges, type StageSettings } from "./settings";
import { Side } from "./side";
import { thumbnail } from "./thumb";
import { adjustOf, diameterOf, useTrial } from "./use";

interface Props {
  session: string;
  sheet: Sheet;
  close: () => void;
}

export function TrialDialog({ session, sheet, close, start }: Props & { start: number }) {
  const { pid } = useProject();
  const settings = useData<StageSettings>(`p/${pid}/live/${session}/settings`);
  const { values, change } = useChanges(settings.data);
  const { found, busy, stamp, run, error } = useTrial(session);
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
        <DialogError text={error} />
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

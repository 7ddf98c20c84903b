// Autorun as the manual has it: which jobs, how many times, and then how far apart.
import { useEffect, useState } from "react";
import { post } from "../../api/http";
import { useProject } from "../../context";
import { attempt, tell, useData } from "../../hooks";
import { Dialog, DialogError } from "../../ui/dialog";
import { Empty, Loading } from "../../ui/parts";
import type { Schedule } from "../../api/types";
import { shownName } from "../../ui/words";

export function AutorunDialog({ close }: { close: () => void }) {
  const { pid, jobs } = useProject();
  const scheduled = jobs.data?.jobs.filter(job => job.list === "Scheduled") ?? [];
  const known = useData<Schedule[]>(`p/${pid}/autorun`);
  const [left, setLeft] = useState<string[]>([]);
  const [name, setName] = useState("schedule1");
  const [repeat, setRepeat] = useState(1);
  const [minWait, setMinWait] = useState(15);
  const [before, setBefore] = useState(0);
  const [onFailure, setOnFailure] = useState("stop");
  useEffect(() => {
    const taken = new Set(known.data?.filter(each => each.wanted).map(each => each.name));
    for (let n = 1; taken.has(name) && n < 100; n++)
      if (!taken.has(`schedule${n}`)) {
        setName(`schedule${n}`);
        break;
      }
  }, [known.data]); // eslint-disable-line
  const chosen = scheduled.filter(job => !left.includes(job.name)).map(job => job.name);
  const [error, setError] = useState("");
  const start = async () => {
    try {
      await post(`p/${pid}/autorun`, {
        name,
        jobs: chosen,
        repeat,
        min_wait_min: minWait,
        wait_before_min: before,
        on_failure: onFailure,
      });
      tell(`${name} is running`);
      close();
    } catch (reason) {
      setError((reason as Error).message);
    }
  };
  return (
    <Dialog title="Run scheduled jobs" close={close}>
      {scheduled.length === 0 ? (
        <Empty title="No job is scheduled.">
          Fill in a form and press Schedule; then it can be run from here.
        </Empty>
      ) : (
        <form
          onSubmit={event => {
            event.preventDefault();
            void start();
          }}
        >
          <div className="dialog-body">
            <fieldset className="check-list">
              <legend>Which jobs</legend>
              {scheduled.map(job => (
                <label key={job.name} className="check">
                  <input
                    type="checkbox"
                    checked={!left.includes(job.name)}
                    onChange={event =>
                      setLeft(
                        event.target.checked
                          ? left.filter(each => each !== job.name)
                          : [...left, job.name],
                      )
                    }
                  />{" "}
                  {shownName(job)}
                </label>
              ))}
            </fieldset>
            <label className="row">
              Run the jobs how many times?
              <input
                name="repeat"
                type="number"
                min={1}
                value={repeat}
                autoFocus
                onChange={event => setRepeat(Number(event.target.value))}
              />
            </label>
            {repeat > 1 && (
              <label className="row">
                Wait at least in between (in minutes)?
                <input
                  name="min_wait"
                  type="number"
                  min={0}
                  step="any"
                  value={minWait}
                  onChange={event => setMinWait(Number(event.target.value))}
                />
              </label>
            )}
            {repeat > 1 && (
              <p className="hint">
                Counted from the start of one repeat to the start of the next. Import to Extraction
                take only what is new; classification starts again and replaces its result when it
                is complete.
              </p>
            )}
            <details>
              <summary>More</summary>
              <label className="row">
                Name of this schedule{" "}
                <input
                  value={name}
                  pattern="[A-Za-z0-9_.\-]+"
                  onChange={event => setName(event.target.value)}
                />
              </label>
              <label className="row">
                Wait this many minutes before starting?{" "}
                <input
                  type="number"
                  min={0}
                  step="any"
                  value={before}
                  onChange={event => setBefore(Number(event.target.value))}
                />
              </label>
              <label className="row">
                If a job fails{" "}
                <select value={onFailure} onChange={event => setOnFailure(event.target.value)}>
                  <option value="stop">stop</option>
                  <option value="retry-next-round">try again in the next round</option>
                  <option value="continue">go on without it</option>
                </select>
              </label>
            </details>
          </div>
          <DialogError text={error} />
          <footer>
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button className="main" disabled={!chosen.length || repeat < 1}>
              Execute
            </button>
          </footer>
        </form>
      )}
    </Dialog>
  );
}

export function StopDialog({ close }: { close: () => void }) {
  const { pid } = useProject();
  const schedules = useData<Schedule[]>(`p/${pid}/autorun`);
  const running = schedules.data?.filter(each => each.wanted) ?? [];
  return (
    <Dialog title="Stop running scheduled jobs" close={close}>
      <div className="dialog-body">
        {schedules.loading && <Loading />}
        {schedules.data && running.length === 0 && <p>No schedule is running.</p>}
        {running.map(each => (
          <div key={each.name} className="stop-row">
            <b>{each.name}</b> round {each.round} of {each.repeat}
            <button
              onClick={() => {
                void attempt(
                  post(`p/${pid}/autorun/${each.name}/stop`, { abort: false }),
                  `${each.name} stops`,
                );
                close();
              }}
            >
              Stop after this job
            </button>
            <button
              className="bad"
              onClick={() => {
                void attempt(
                  post(`p/${pid}/autorun/${each.name}/stop`, { abort: true }),
                  `${each.name} stops now`,
                );
                close();
              }}
            >
              Stop now
            </button>
          </div>
        ))}
      </div>
    </Dialog>
  );
}

// The session's stages and devices, what was not taken and why; pause, resume, finish, stop.
import { useState } from "react";
import { get, post } from "../../api/http";
import { useProject } from "../../context";
import { attempt, link } from "../../hooks";
import { Ask } from "../../ui/dialog";
import { baseName, count, duration } from "../../ui/words";
import type { LiveSession } from "./data";

export function Controls({ session }: { session: LiveSession }) {
  const { pid, mayChange } = useProject();
  const [ask, setAsk] = useState("");
  const phase = session.state?.phase ?? session.status?.phase ?? "";
  const wish = (what: string, said: string) =>
    void attempt(post(`p/${pid}/live/${session.name}/wish`, { wish: what }), said);
  if (!mayChange) return null;
  return (
    <>
      {phase === "running" && (
        <button onClick={() => wish("pause", "pausing: movies in hand are finished first")}>
          Pause
        </button>
      )}
      {(phase === "paused" || phase === "stopped") && (
        <button className="main" onClick={() => wish("run", "going on")}>
          Resume
        </button>
      )}
      {(phase === "running" || phase === "paused") && (
        <button onClick={() => setAsk("finish")}>Finish</button>
      )}
      {(phase === "running" || phase === "paused") && (
        <button className="bad" onClick={() => setAsk("stop")}>
          Stop
        </button>
      )}
      {ask && (
        <Ask
          title={ask === "finish" ? "Finish the session" : "Stop the session"}
          yes={ask === "finish" ? "Finish" : "Stop"}
          close={() => setAsk("")}
          act={() => wish(ask, ask === "finish" ? "finishing" : "stopping")}
          text={
            ask === "finish"
              ? "What has arrived is processed to the end; new movies are no longer taken; all particles are classified once more; then the report is written."
              : "Work ends now; what is done stays, and the session can be resumed."
          }
        />
      )}
    </>
  );
}

export function StagesPanel({ session }: { session: LiveSession }) {
  const { pid } = useProject();
  const s = session.status;
  return (
    <section className="live-panel" aria-label="stages">
      <header>
        <h2>
          {session.name}{" "}
          <small className={`phase ${session.state?.phase ?? ""}`}>
            {session.state?.phase ?? s?.phase}
          </small>
        </h2>
        <span className="hint">
          {s?.source}
          {s?.message ? ` · ${s.message}` : ""}
        </span>
        <span className="grow" />
        <Controls session={session} />
      </header>
      {!s ? (
        <p className="hint">
          The session has written nothing yet: its workers start, which takes some seconds.
        </p>
      ) : (
        <div className="live-columns">
          <table className="plain-table stages">
            <thead>
              <tr>
                <th>stage</th>
                <th>done</th>
                <th>waiting</th>
                <th>in hand</th>
                <th>failed</th>
                <th>a movie</th>
              </tr>
            </thead>
            <tbody>
              {s.stages.map(each => (
                <tr key={each.name}>
                  <th>
                    <a href={link(pid, "project", { job: each.job })}>{each.name}</a>
                  </th>
                  <td>{count(each.done)}</td>
                  <td className={each.waiting > 50 ? "warn" : ""}>{count(each.waiting)}</td>
                  <td>{each.in_hand || ""}</td>
                  <td className={each.aside ? "bad" : ""}>{each.aside || ""}</td>
                  <td>{each.mean_s ? `${each.mean_s.toFixed(1)} s` : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <div className="counts-block">
            <p>
              <b>{count(s.found)}</b> found · <b>{count(s.accepted)}</b> accepted ·{" "}
              <b>{count(s.set_aside)}</b> set aside ·{" "}
              <b className={s.failed ? "bad" : ""}>{count(s.failed)}</b> failed
            </p>
            {s.latency_s > 0 && (
              <p className="hint">
                from complete file to particles: {duration(s.latency_s)} (median)
              </p>
            )}
            <p className="hint">
              {Object.entries(s.devices)
                .map(([device, state]) => `${device}: ${state}`)
                .join(" · ")}
            </p>
            {s.classes.state && s.classes.state !== "none" && (
              <p className="hint">
                2D classes: {s.classes.state}, {s.classes.updates} updates
                {s.classes.chosen?.length ? `, ${s.classes.chosen.length} chosen` : ""}
              </p>
            )}
            {s.problems.map(each => (
              <p key={each} className="bad">
                {each}
              </p>
            ))}
          </div>
          <NotTaken session={session} />
        </div>
      )}
    </section>
  );
}

/** Files that were seen and not taken, each with its reason; and an answer for any file that somebody misses. */
function NotTaken({ session }: { session: LiveSession }) {
  const { pid } = useProject();
  const [asked, setAsked] = useState("");
  const [all, setAll] = useState(false);
  const [told, setTold] = useState<string[] | null>(null);
  const s = session.status!;
  const find = () =>
    void attempt(
      get<{ lines: string[] }>(`p/${pid}/live/${session.name}/file`, { text: asked.trim() }),
    ).then(found => setTold(found?.lines ?? null));
  return (
    <div className="not-taken">
      <h3>Not taken{s.waiting_files ? ` (${count(s.waiting_files)})` : ""}</h3>
      {s.not_taken.length === 0 ? (
        <p className="hint">every file that matches was taken</p>
      ) : (
        <ul className="reasons">
          {(all ? s.not_taken : s.not_taken.slice(-4)).map(([file, why]) => (
            <li key={file}>
              <b title={file}>{baseName(file)}</b> {why}
            </li>
          ))}
          {!all && s.not_taken.length > 4 && (
            <li>
              <button className="plain" onClick={() => setAll(true)}>
                all {count(s.not_taken.length)}
                {s.waiting_files > s.not_taken.length ? ` newest of ${count(s.waiting_files)}` : ""}
              </button>
            </li>
          )}
        </ul>
      )}
      <form
        className="why"
        onSubmit={event => {
          event.preventDefault();
          if (asked.trim().length > 1) find();
        }}
      >
        <input
          value={asked}
          onChange={event => {
            setAsked(event.target.value);
            setTold(null);
          }}
          placeholder="missing a file? its name"
          aria-label="name of a file you miss"
        />
        <button disabled={asked.trim().length < 2}>Why?</button>
      </form>
      {told?.map(line => (
        <p key={line} className="told" role="status">
          {line}
        </p>
      ))}
    </div>
  );
}

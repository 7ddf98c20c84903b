// A live session: stages, devices, what was not taken and why, pause, resume, finish.
import { useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { attempt } from "../../hooks";
import { Ask } from "../../parts";
import { baseName, count, duration } from "../../words";

export interface LiveStatus {
  phase: string; message: string; source: string; found: number; waiting_files: number; accepted: number; set_aside: number; failed: number; finished: number; particles: number;
  lag_s: number; in_per_hour: number; done_per_hour: number; latency_s: number; devices: Record<string, string>;
  stages: { name: string; job: string; done: number; aside: number; waiting: number; in_hand: number; mean_s: number }[];
  newest: { number: number; name: string; micrograph: string; stage: string; aside: string; aside_kind: string }[];
  not_taken: [string, string][]; problems: string[];
}
export interface LiveSession { name: string; status: LiveStatus | null; state: { phase: string; message: string } | null; wish: { wish: string } | null }

export function LivePanel({ session }: { session: LiveSession }) {
  const { pid, mayChange } = useProject();
  const [ask, setAsk] = useState("");
  const s = session.status;
  const phase = session.state?.phase ?? s?.phase ?? "";
  const wish = (what: string, said: string) => void attempt(post(`p/${pid}/live/${session.name}/wish`, { wish: what }), said);
  const aside = s?.newest.filter((each) => each.aside) ?? [];
  return (
    <section className="live-panel">
      <header><h2>{session.name} <small className={`phase ${phase}`}>{phase}</small></h2><span className="hint">{s?.source}{s?.message ? ` · ${s.message}` : ""}</span><span className="grow" />
        {mayChange && phase === "running" && <button onClick={() => wish("pause", "pausing")}>Pause</button>}
        {mayChange && phase === "paused" && <button className="main" onClick={() => wish("run", "resumed")}>Resume</button>}
        {mayChange && (phase === "running" || phase === "paused") && <button onClick={() => setAsk("finish")}>Finish</button>}
        {mayChange && (phase === "running" || phase === "paused") && <button className="bad" onClick={() => setAsk("stop")}>Stop</button>}
      </header>
      {!s ? <p className="hint">The session has written nothing yet.</p> : (
        <div className="live-columns">
          <table className="plain-table"><thead><tr><th>stage</th><th>done</th><th>waiting</th><th>in hand</th><th>set aside</th><th>per movie</th></tr></thead>
            <tbody>{s.stages.map((each) => <tr key={each.name}><th>{each.name}</th><td>{count(each.done)}</td><td className={each.waiting > 50 ? "warn" : ""}>{count(each.waiting)}</td><td>{each.in_hand}</td><td>{each.aside || ""}</td><td>{each.mean_s ? duration(each.mean_s) : ""}</td></tr>)}</tbody></table>
          <div><h3>Not taken{s.waiting_files ? ` (${s.waiting_files})` : ""}</h3>{s.not_taken.length === 0 && <p className="hint">every file was taken</p>}
            <ul className="reasons">{s.not_taken.slice(0, 12).map(([file, why]) => <li key={file}><b title={file}>{baseName(file)}</b> {why}</li>)}</ul></div>
          <div><h3>Set aside and failed</h3>{aside.length === 0 && <p className="hint">none among the newest</p>}
            <ul className="reasons">{aside.slice(0, 12).map((each) => <li key={each.number}><b>{baseName(each.name)}</b> {each.aside}</li>)}</ul></div>
          {s.problems.length > 0 && <div className="bad"><h3>Problems</h3><ul>{s.problems.map((each) => <li key={each}>{each}</li>)}</ul></div>}
          <div><h3>Devices</h3><ul className="reasons">{Object.entries(s.devices).map(([device, state]) => <li key={device}><b>{device}</b> {state}</li>)}</ul></div>
        </div>
      )}
      {ask && <Ask title={ask === "finish" ? "Finish the session" : "Stop the session"} yes={ask === "finish" ? "Finish" : "Stop"} close={() => setAsk("")} act={() => wish(ask, ask === "finish" ? "finishing" : "stopping")}
        text={ask === "finish" ? "What has arrived is processed to the end; new movies are no longer taken." : "Work ends now; what is done stays, and the session can be resumed from the terminal."} />}
    </section>
  );
}

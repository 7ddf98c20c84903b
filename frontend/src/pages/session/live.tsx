// A live session: stages, what was not taken and why, what was set aside and how to take it back; pause, finish.
import { useEffect, useMemo, useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { attempt, link, tell, useData, useKeys } from "../../hooks";
import { Ask, Dialog } from "../../parts";
import { baseName, count, duration } from "../../words";

export interface LiveStatus {
  phase: string; message: string; source: string; found: number; waiting_files: number; accepted: number; set_aside: number; failed: number; finished: number; particles: number;
  lag_s: number; in_per_hour: number; done_per_hour: number; latency_s: number; devices: Record<string, string>; thresholds?: string;
  stages: { name: string; job: string; done: number; aside: number; waiting: number; in_hand: number; mean_s: number }[];
  newest: { number: number; name: string; micrograph: string; stage: string; aside: string; aside_kind: string }[];
  not_taken: [string, string][]; problems: string[];
}
export interface LiveSession { name: string; status: LiveStatus | null; state: { phase: string; message: string } | null }
interface Movies { numbers: number[]; names: string[]; aside: string[]; aside_stage: string[] }

export function LivePanel({ session }: { session: LiveSession }) {
  const { pid, mayChange, watch } = useProject();
  const [ask, setAsk] = useState("");
  const [chosen, setChosen] = useState<number | null>(null);
  const movies = useData<Movies>(`p/${pid}/live/${session.name}/movies`, {}, watch.version);
  const s = session.status;
  const phase = session.state?.phase ?? s?.phase ?? "";
  const wish = (what: string, said: string) => void attempt(post(`p/${pid}/live/${session.name}/wish`, { wish: what }), said);
  const aside = useMemo(() => (movies.data?.numbers ?? []).map((n, i) => ({ n, name: movies.data!.names[i], why: movies.data!.aside[i] })).filter((each) => each.why).reverse(), [movies.data]);
  const judge = (verdict: string, n: number) => void attempt(post(`p/${pid}/live/verdict`, { verdict, numbers: [n] }), verdict === "accept" ? "taken back" : verdict).then(movies.reload);
  useKeys({ r: chosen !== null && mayChange ? () => judge("accept", chosen) : undefined });
  return (
    <section className="live-panel">
      <header><h2>{session.name} <small className={`phase ${phase}`}>{phase}</small></h2><span className="hint">{s?.source}{s?.message ? ` · ${s.message}` : ""}{s?.thresholds ? ` · ${s.thresholds}` : ""}</span><span className="grow" />
        {mayChange && phase === "running" && <button onClick={() => wish("pause", "pausing")}>Pause</button>}
        {mayChange && (phase === "paused" || phase === "stopped") && <button className="main" onClick={() => wish("run", "resumed")}>Resume</button>}
        {mayChange && (phase === "running" || phase === "paused") && <button onClick={() => setAsk("finish")}>Finish</button>}
        {mayChange && (phase === "running" || phase === "paused") && <button className="bad" onClick={() => setAsk("stop")}>Stop</button>}
      </header>
      {!s ? <p className="hint">The session has written nothing yet.</p> : (
        <div className="live-columns">
          <table className="plain-table"><thead><tr><th>stage</th><th>done</th><th>waiting</th><th>in hand</th><th>set aside</th><th>per movie</th></tr></thead>
            <tbody>{s.stages.map((each) => <tr key={each.name}><th><a href={link(pid, "project", { job: each.job })}>{each.name}</a></th><td>{count(each.done)}</td><td className={each.waiting > 50 ? "warn" : ""}>{count(each.waiting)}</td><td>{each.in_hand}</td><td>{each.aside || ""}</td><td>{each.mean_s ? `${each.mean_s.toFixed(1)} s` : ""}</td></tr>)}</tbody></table>
          <div><h3>Not taken{s.waiting_files ? ` (${s.waiting_files})` : ""}</h3>{s.not_taken.length === 0 && <p className="hint">every file was taken</p>}
            <ul className="reasons">{s.not_taken.slice(0, 12).map(([file, why]) => <li key={file}><b title={file}>{baseName(file)}</b> {why}</li>)}</ul></div>
          <div><h3>Set aside and failed ({aside.length}) {aside.length > 0 && mayChange && <small>choose one, then <kbd>R</kbd> takes it back</small>}</h3>{aside.length === 0 && <p className="hint">none</p>}
            <ul className="reasons">{aside.slice(0, 50).map((each) => <li key={each.n} className={chosen === each.n ? "chosen" : ""} onClick={() => setChosen(each.n)}><b>{each.n} {baseName(each.name)}</b> {each.why}
              {mayChange && <><button className="plain" onClick={() => judge("accept", each.n)} title="R">take back</button><button className="plain" onClick={() => judge("again", each.n)}>try again</button></>}</li>)}</ul></div>
          {s.problems.length > 0 && <div className="bad"><h3>Problems</h3><ul>{s.problems.map((each) => <li key={each}>{each}</li>)}</ul></div>}
          <div><h3>Devices</h3><ul className="reasons">{Object.entries(s.devices).map(([device, state]) => <li key={device}><b>{device}</b> {state}</li>)}</ul><p className="hint">from complete file to particles: {duration(s.latency_s)}</p></div>
        </div>
      )}
      {ask && <Ask title={ask === "finish" ? "Finish the session" : "Stop the session"} yes={ask === "finish" ? "Finish" : "Stop"} close={() => setAsk("")} act={() => wish(ask, ask === "finish" ? "finishing" : "stopping")}
        text={ask === "finish" ? "What has arrived is processed to the end; new movies are no longer taken; then the report is written." : "Work ends now; what is done stays, and the session can be resumed."} />}
    </section>
  );
}

const ASKED: [string, string, string][] = [
  ["pixel-size", "Pixel size", "Å"], ["kv", "Voltage", "kV"], ["cs", "Spherical aberration", "mm"], ["dose-per-frame", "Dose per frame", "e/Å²"],
  ["gain", "Gain reference", "file"], ["diameter", "Particle diameter", "Å: min,max"], ["thresholds", "Thresholds", "e.g. rlnCtfMaxResolution <= 6"],
];

/** Folder -> what was recognised -> the first movies as a check -> Start. */
export function NewLiveSession({ close }: { close: () => void }) {
  const { pid } = useProject();
  const [folder, setFolder] = useState("Movies");
  const [given, setGiven] = useState<Record<string, string>>({});
  const [lines, setLines] = useState<string[] | null>(null);
  const [busy, setBusy] = useState(false);
  useEffect(() => setLines(null), [folder, given]);
  const ask = async (path: string) => {
    setBusy(true);
    const found = await attempt(post<{ lines: string[] }>(path, { folder, given }));
    setBusy(false);
    return found;
  };
  return (
    <Dialog title="New live session" close={close} wide>
      <form onSubmit={(event) => { event.preventDefault(); void (lines ? ask(`p/${pid}/live`).then((found) => { if (found) { tell("the session runs; it goes on without this page"); close(); } }) : ask(`p/${pid}/live/look`).then((found) => found && setLines(found.lines))); }}>
        <div className="dialog-body">
          <label className="row">Folder or wildcard where movies arrive <input value={folder} onChange={(event) => setFolder(event.target.value)} autoFocus className="wide-field" /></label>
          <p className="hint">In the project, or in a data directory registered with <code>verglas new . --data-root DIR</code>. What the microscope recorded beside the movies need not be given.</p>
          <div className="asked">{ASKED.map(([key, title, unit]) => <label key={key}>{title} <small>{unit}</small><input value={given[key] ?? ""} onChange={(event) => setGiven({ ...given, [key]: event.target.value })} /></label>)}</div>
          {lines && <pre className="log">{lines.join("\n")}</pre>}
        </div>
        <footer><button type="button" onClick={close}>Cancel</button><button className="main" disabled={busy || !folder}>{busy ? "looking …" : lines ? "Start" : "Look"}</button></footer>
      </form>
    </Dialog>
  );
}

/** One micrograph with other settings beside the present ones; then for new movies, all, or a range. */
export function TrialDialog({ number, close }: { number: number; close: () => void }) {
  const { pid } = useProject();
  const [text, setText] = useState("AutoPick.log_adjust_thr=0.5");
  const [scope, setScope] = useState("new");
  const [lines, setLines] = useState<string[]>([]);
  const [busy, setBusy] = useState(false);
  const values = Object.fromEntries(text.split("\n").map((line) => line.split("=", 2).map((part) => part.trim())).filter((pair) => pair.length === 2 && pair[0]));
  const run = async (path: string, body: unknown) => { setBusy(true); const found = await attempt(post<{ lines: string[] }>(path, body)); setBusy(false); if (found) setLines(found.lines); };
  return (
    <Dialog title={`Trial on micrograph ${number}`} close={close} wide>
      <div className="dialog-body"><label>Options to change, one a line (JOB.option=value)<textarea className="trial" value={text} onChange={(event) => setText(event.target.value)} /></label>
        {lines.length > 0 && <pre className="log">{lines.join("\n")}</pre>}</div>
      <footer><button disabled={busy} onClick={() => void run(`p/${pid}/live/try`, { micrograph: number, values })}>{busy ? "working …" : "Try"}</button>
        <span className="grow" /><label>Apply to <input value={scope} onChange={(event) => setScope(event.target.value)} title="new, all, or a range as 12-40" style={{ width: 80 }} /></label>
        <button className="main" disabled={busy || !lines.length} onClick={() => void run(`p/${pid}/live/set`, { values, scope })}>Apply</button></footer>
    </Dialog>
  );
}

// The session: one line that says whether all is well, counts, linked plots with thresholds, what happened.
import { useEffect, useMemo, useState } from "react";
import { address, post } from "../../api";
import { useProject } from "../../context";
import { attempt, go, link, useData, usePersisted } from "../../hooks";
import { Empty, Loading, Problem } from "../../parts";
import { Histogram, PointPlot } from "../../plots";
import type { EventLine, Micrographs } from "../../types";
import { baseName, count, duration, number } from "../../words";
import { FIGURES } from "../micrographs/page";
import { LivePanel, NewLiveSession, TrialDialog, type LiveSession } from "./live";

interface Overview {
  micrographs?: number; list?: string; rate_per_h?: number; last_age_s?: number; picks?: number; best_class_angst?: number | null; iteration?: number;
  classified_particles?: number | null; model?: string; median_fit_resolution_angst?: number; median_motion_angst?: number; disc_free_gb: number; jobs: Record<string, number>; problem?: string;
}
type Limits = Record<string, [number | null, number | null]>;
const clock = (s: number) => new Date(s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

export function SessionPage() {
  const { pid, watch, mayChange } = useProject();
  const [dialog, setDialog] = useState("");
  const overview = useData<Overview>(`p/${pid}/overview`, {}, watch.version);
  const sessions = useData<string[]>(`p/${pid}/live`, {}, watch.version);
  const name = sessions.data?.[0];
  const live = useData<LiveSession>(name ? `p/${pid}/live/${name}` : null, {}, watch.version);
  const events = useData<EventLine[]>(`p/${pid}/events`, { last: 300 }, watch.version);
  const list = overview.data?.list ?? "";
  const table = useData<Micrographs>(list ? `p/${pid}/micrographs/list` : null, { path: list }, watch.version);
  const movies = useData<LiveMovies>(name ? `p/${pid}/live/${name}/movies` : null, {}, watch.version);
  const figures = useMemo(() => (movies.data && movies.data.names.length ? ofLive(movies.data, list) : table.data), [movies.data, table.data, list]);
  if (overview.error) return <Problem text={overview.error} retry={overview.reload} />;
  if (!overview.data) return <Loading what="session" />;
  return (
    <div className="session">
      <HealthLine o={overview.data} live={live.data} begin={mayChange ? () => setDialog("new") : undefined} trial={mayChange && live.data?.status?.newest.length ? () => setDialog("try") : undefined} />
      {dialog === "new" && <NewLiveSession close={() => setDialog("")} />}
      {dialog === "try" && <TrialDialog number={live.data?.status?.newest.at(-1)?.number ?? 1} close={() => setDialog("")} />}
      {live.data && <LivePanel session={live.data} />}
      {!list && !figures ? <Empty title="No micrographs yet.">Import movies, schedule the chain, and Autorun it from the menu top left; figures appear here as the first micrographs are done.</Empty>
        : table.error && !figures ? <Problem text={table.error} retry={table.reload} /> : !figures ? <Loading what="figures" /> : <Curate table={figures} live={Boolean(movies.data?.names.length)} />}
      {events.data && <Night events={events.data} />}
    </div>
  );
}

function HealthLine({ o, live, begin, trial }: { o: Overview; live: LiveSession | null; begin?: () => void; trial?: () => void }) {
  const { pid } = useProject();
  const s = live?.status;
  const failed = (o.jobs.Failed ?? 0) > 0 || (s?.failed ?? 0) > 0 || s?.phase === "failed";
  const busy = s ? s.phase === "running" || s.phase === "finishing" : (o.jobs.Running ?? 0) > 0;
  const behind = s ? s.lag_s > 600 : false;
  const word = failed ? "Look here" : behind ? "Behind" : busy ? "Healthy" : "Quiet";
  const tiles: [string, string, string?][] = [];
  if (s) { tiles.push(["in", `${number(s.in_per_hour)}/h`], ["done", `${number(s.done_per_hour)}/h`], ["lag", duration(s.lag_s)], ["accepted", `${count(s.accepted)} of ${count(s.found)}`]); }
  else {
    if (o.micrographs !== undefined) tiles.push(["micrographs", count(o.micrographs), link(pid, "micrographs")]);
    if (o.rate_per_h !== undefined) tiles.push(["done", `${count(Math.round(o.rate_per_h))}/h`]);
    if (o.last_age_s !== undefined) tiles.push(["newest", `${duration(o.last_age_s)} ago`]);
  }
  if (o.median_fit_resolution_angst !== undefined) tiles.push(["CTF fit, median", `${number(o.median_fit_resolution_angst)} Å`]);
  if (s?.particles) tiles.push(["particles", count(s.particles)]);
  else if (o.picks !== undefined) tiles.push(["picks", count(o.picks)]);
  if (o.classified_particles) tiles.push(["in classes", count(o.classified_particles), o.model ? link(pid, "classes", { model: o.model }) : undefined]);
  if (o.best_class_angst) tiles.push(["best class", `${number(o.best_class_angst)} Å`, o.model ? link(pid, "classes", { model: o.model }) : undefined]);
  tiles.push(["disc free", `${count(Math.round(o.disc_free_gb))} GB`]);
  return (
    <section className={`health ${failed ? "bad" : behind ? "warn" : busy ? "good" : ""}`} aria-label="health of the session">
      <b className="verdict"><i>{failed ? "✕" : behind ? "!" : busy ? "✓" : "·"}</i> {word}</b>
      {tiles.map(([title, value, href]) => <span key={title} className="tile"><small>{title}</small>{href ? <a href={href}>{value}</a> : <b>{value}</b>}</span>)}
      <span className="grow" />
      {trial && <button onClick={trial}>Trial</button>}
      {begin && <button onClick={begin}>New live session</button>}
    </section>
  );
}

/** The session's own journal: figures appear movie by movie, before the lists are rebuilt. */
interface LiveMovies { numbers: number[]; names: string[]; aside: string[]; taken_s: number[]; columns: Record<string, (number | null)[]> }
const OF_LIVE: Record<string, string> = { motion_total_angst: "motion_angst", ctf_resolution_angst: "fit_resolution_angst", ctf_merit: "fit_score", ice_ring: "ice" };
const TO_LIVE = Object.fromEntries(Object.entries(OF_LIVE).map(([live, ours]) => [ours, live]));

function ofLive(m: LiveMovies, list: string): Micrographs {
  const columns = Object.fromEntries(Object.entries(m.columns).map(([key, values]) => [OF_LIVE[key] ?? key, values]));
  return { path: list, names: m.names, columns: { ...columns, time_s: m.taken_s }, pixel_size_angst: 0 };
}

function Curate({ table, live }: { table: Micrographs; live: boolean }) {
  const { pid, mayChange } = useProject();
  const keys = Object.keys(FIGURES).filter((key) => table.columns[key]?.some((v) => v !== null && v !== 0));
  const [limits, setLimits] = useState<Limits>({});
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const [pair, setPair] = usePersisted<[string, string]>("session.pair", ["defocus_u_angst", "fit_resolution_angst"]);
  const [chosen, setChosen] = useState<number | undefined>();
  const scaled = useMemo(() => Object.fromEntries(keys.map((key) => [key, table.columns[key].map((v) => (v === null ? null : v * (FIGURES[key].scale ?? 1)))])), [table]); // eslint-disable-line
  const times = table.columns.time_s ?? table.names.map((_, i) => i);
  const active = Object.entries(limits).filter(([, [low, high]]) => low !== null || high !== null);
  const { keep, dropped, picksDropped } = useMemo(() => {
    const keep = new Uint8Array(table.names.length).fill(1);
    let dropped = 0, picksDropped = 0;
    for (let i = 0; i < keep.length; i++) {
      const out = active.some(([key, [low, high]]) => { const v = scaled[key]?.[i]; return v === null || v === undefined || (low !== null && v < low) || (high !== null && v > high); });
      const outside = brush !== null && (times[i] === null || times[i]! < brush[0] || times[i]! > brush[1]);
      if (out) { dropped++; picksDropped += table.columns.picks?.[i] ?? 0; }
      if (out || outside) keep[i] = 0;
    }
    return { keep, dropped, picksDropped };
  }, [limits, brush, table, scaled]); // eslint-disable-line
  const a = keys.includes(pair[0]) ? pair[0] : keys[0], b = keys.includes(pair[1]) ? pair[1] : keys[1] ?? keys[0];
  if (!keys.length) return <p className="hint">{count(table.names.length)} micrographs; figures come with motion correction and CTF estimation.</p>;
  const titled = (key: string) => `${FIGURES[key].title}${FIGURES[key].unit ? ` (${FIGURES[key].unit})` : ""}`;
  const apply = async () => {
    if (live) {
      const text = active.flatMap(([key, [low, high]]) => {
        const name = TO_LIVE[key] ?? key, scale = FIGURES[key].scale ?? 1;
        return [...(low === null ? [] : [`${name} >= ${low / scale}`]), ...(high === null ? [] : [`${name} <= ${high / scale}`])];
      }).join("; ");
      if (await attempt(post(`p/${pid}/live/thresholds`, { text }), "the session takes the limits; what depends on them is done again")) setLimits({});
      return;
    }
    const made = await attempt(post<{ names: string[] }>(`p/${pid}/thresholds`, {
      micrographs: table.path, limits: active.map(([key, [low, high]]) => ({ figure: key, low: low === null ? null : low / (FIGURES[key].scale ?? 1), high: high === null ? null : high / (FIGURES[key].scale ?? 1) })),
    }));
    if (made) go(link(pid, "project", { job: made.names[made.names.length - 1] }));
  };
  return (
    <>
      <section className="thresholds">
        <header><h2>Figures and thresholds</h2>
          <span className="preview" data-testid="preview">{active.length ? <>would drop <b>{count(dropped)}</b> of {count(table.names.length)} micrographs{table.columns.picks && <>, <b>{count(Math.round(picksDropped))}</b> picks</>}</> : "drag in a histogram to set a limit; nothing is dropped before you apply it"}</span>
          <span className="grow" />
          <button disabled={!active.length} onClick={() => setLimits({})}>Clear</button>
          <button className="main" disabled={!active.length || !mayChange || dropped === table.names.length} onClick={() => void apply()} title={live ? "the session sets micrographs aside, with the reason; each can be taken back" : "makes Select jobs; the micrographs stay where they are"}>{live ? "Apply to the session" : "Make Select job"}</button>
        </header>
        <div className="histograms">
          {keys.map((key) => (
            <figure key={key}><figcaption>{titled(key)} <small>{limits[key]?.[0] != null && `≥ ${number(limits[key][0])} `}{limits[key]?.[1] != null && `≤ ${number(limits[key][1])}`}</small></figcaption>
              <Histogram values={scaled[key]} title={titled(key)} limits={limits[key] ?? [null, null]} height={88} onLimits={(next) => setLimits({ ...limits, [key]: next })} /></figure>
          ))}
        </div>
      </section>
      <section className="linked">
        <div><h3>In time {brush && <button className="plain" onClick={() => setBrush(null)}>all times ✕</button>} <select value={b} onChange={(event) => setPair([a, event.target.value])} aria-label="figure in time">{keys.map((key) => <option key={key} value={key}>{FIGURES[key].title}</option>)}</select></h3>
          <PointPlot x={times} y={scaled[b]} keep={keep} xTitle="time" yTitle={titled(b)} xText={clock} chosen={chosen} onPick={setChosen} brush={brush} onBrush={setBrush} height={210} /></div>
        <div><h3>Against <select value={a} onChange={(event) => setPair([event.target.value, b])} aria-label="figure across">{keys.map((key) => <option key={key} value={key}>{FIGURES[key].title}</option>)}</select></h3>
          <PointPlot x={scaled[a]} y={scaled[b]} keep={keep} xTitle={titled(a)} yTitle={titled(b)} chosen={chosen} onPick={setChosen} height={210} /></div>
        <Newest table={table} chosen={chosen} choose={setChosen} />
      </section>
    </>
  );
}

function Newest({ table, chosen, choose }: { table: Micrographs; chosen?: number; choose: (i: number) => void }) {
  const { pid } = useProject();
  const made = table.names.map((_, i) => i).filter((i) => table.names[i].endsWith(".mrc"));
  const shown = chosen === undefined ? made.slice(-6).reverse() : made.includes(chosen) ? [chosen] : [];
  return (
    <div className="newest"><h3>{chosen === undefined ? "Newest micrographs" : "Chosen"} {chosen !== undefined && <button className="plain" onClick={() => choose(undefined as unknown as number)}>newest</button>}</h3>
      <div className="thumbs">{shown.map((i) => (
        <a key={i} href={link(pid, "micrographs", { list: table.path, name: table.names[i] })} title={table.names[i]}>
          <img loading="lazy" alt={baseName(table.names[i])} src={address(`p/${pid}/micrographs/thumbnail`, { path: table.names[i], side: chosen === undefined ? 120 : 220, v: table.columns.time_s?.[i] ?? 0 })} />
          <small>{baseName(table.names[i])}{table.columns.fit_resolution_angst && ` · ${number(table.columns.fit_resolution_angst[i])} Å`}</small></a>
      ))}</div>
    </div>
  );
}

/** "Since you last looked": events after the last visit are marked; failures stand out. */
function Night({ events }: { events: EventLine[] }) {
  const { pid } = useProject();
  const [seen] = useState(() => localStorage.getItem(`verglas.seen.${pid}`) ?? "");
  useEffect(() => { const last = events[events.length - 1]?.time; if (last) localStorage.setItem(`verglas.seen.${pid}`, last); }, [events, pid]);
  const fresh = events.filter((each) => each.time > seen);
  const shown = [...events].reverse().slice(0, 80);
  return (
    <section className="night"><h2>What happened <small>{seen && fresh.length ? `${fresh.length} since you last looked` : ""}</small></h2>
      {events.length === 0 ? <p className="hint">Nothing has been recorded yet.</p> : (
        <ol>{shown.map((each, i) => <li key={i} className={`${each.time > seen && seen ? "fresh" : ""} ${/fail|died|aside|killed/.test(each.kind + each.text) ? "bad" : ""}`}><time>{each.time.replace("T", " ").slice(5, 19)}</time><b>{each.person ?? each.kind}</b><span>{each.job && <a href={link(pid, "project", { job: each.job })}>{each.job.replace(/\/$/, "")}</a>} {each.text}</span></li>)}</ol>)}
    </section>
  );
}

// "Since you last looked": movies by the hour and what became of them, pauses, what people changed, what went wrong.
import { useEffect, useMemo, useRef, useState } from "react";
import { useProject } from "../../context";
import { link } from "../../hooks";
import type { EventLine } from "../../types";
import { count, duration } from "../../words";
import { clock, KINDS, type Sheet } from "./data";

const PAD = { left: 44, right: 12, top: 8, bottom: 20 },
  HEIGHT = 128,
  LANE = 18;
const COLOURS = {
  accepted: "#0072b2",
  threshold: "#e69f00",
  classes: "#009e73",
  manual: "#cc79a7",
  failure: "#d55e00",
  waiting: "#b5c3cf",
};
type Mark = { t: number; sign: string; colour: string; event: EventLine };
const seconds = (event: EventLine) => Date.parse(event.time) / 1000;
const isBad = (event: EventLine) =>
  /fail|died|poison|benched|problem|killed/.test(event.kind + event.text);

const AWAY_S = 300;

/** When the page was looked at last before this look; it is noted while the page is seen, so sleep and hidden tabs count as away. */
function useLastLook(pid: string): number {
  const key = `verglas.looked.${pid}`,
    tab = `verglas.away.${pid}`;
  const [last, setLast] = useState(
    () => Number(sessionStorage.getItem(tab)) || Number(localStorage.getItem(key)) || 0,
  );
  useEffect(() => {
    let noted = Date.now() / 1000;
    const keep = (store: Storage, name: string, value: number) => {
      try {
        store.setItem(name, String(value));
      } catch {
        /* private mode */
      }
    };
    const note = () => {
      if (document.hidden) return;
      const now = Date.now() / 1000;
      if (now - noted > AWAY_S) {
        setLast(noted);
        keep(sessionStorage, tab, noted);
      }
      noted = now;
      keep(localStorage, key, now);
    };
    keep(sessionStorage, tab, last); // a reload shows the same night again
    note();
    const timer = setInterval(note, 30000);
    document.addEventListener("visibilitychange", note);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", note);
    };
  }, [key]); // eslint-disable-line
  return last;
}

/** Intervals in which the session was paused or stopped. */
function pausesOf(events: EventLine[], end: number): [number, number][] {
  const found: [number, number][] = [];
  let since: number | null = null;
  for (const event of events) {
    if (/^live-(paused|stopped)$/.test(event.kind) && since === null) since = seconds(event);
    else if (/^live-(running|started|finishing)$/.test(event.kind) && since !== null) {
      found.push([since, seconds(event)]);
      since = null;
    }
  }
  if (since !== null) found.push([since, end]);
  return found;
}

function marksOf(events: EventLine[]): Mark[] {
  return events
    .filter(each => each.kind !== "movie-aside")
    .map(event => ({
      t: seconds(event),
      event,
      ...(isBad(event)
        ? { sign: "▲", colour: "#d55e00" }
        : event.person
          ? { sign: "◆", colour: "#cc79a7" }
          : { sign: "●", colour: "#5c6b7a" }),
    }))
    .filter(each => isFinite(each.t));
}

export function Night({
  sheet,
  events,
  brush,
  onBrush,
}: {
  sheet: Sheet | null;
  events: EventLine[];
  brush: [number, number] | null;
  onBrush: (range: [number, number] | null) => void;
}) {
  const { pid } = useProject();
  const looked = useLastLook(pid);
  const [whole, setWhole] = useState(false);
  const marks = useMemo(() => marksOf(events), [events]);
  const times = useMemo(
    () => [
      ...(sheet?.times ?? []).filter((t): t is number => t !== null && t > 1e6),
      ...marks.map(each => each.t),
    ],
    [sheet, marks],
  );
  const last = times.length ? times.reduce((a, b) => Math.max(a, b)) : 0,
    first = times.length ? times.reduce((a, b) => Math.min(a, b)) : 0;
  const pauses = useMemo(() => pausesOf(events, last), [events, last]);
  const away = looked > first && last - looked > AWAY_S ? looked : 0;
  const shown = [...events]
    .reverse()
    .filter(each => !brush || (seconds(each) >= brush[0] && seconds(each) <= brush[1]));
  return (
    <section className="night" aria-label="since you last looked">
      <header>
        <h2>{away ? "Since you last looked" : "The session in time"}</h2>
        <span className="hint" data-testid="since">
          {times.length
            ? summary(sheet, events, pauses, away || first, last, Boolean(away))
            : "Nothing has happened yet."}
        </span>
        <span className="grow" />
        {brush && (
          <button className="plain" onClick={() => onBrush(null)}>
            all times ✕
          </button>
        )}
        <button className="plain" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole ? "hide the log" : `log (${count(events.length)})`}
        </button>
      </header>
      {times.length > 1 && last > first && (
        <Line
          sheet={sheet}
          marks={marks}
          pauses={pauses}
          span={[first, last]}
          looked={away}
          brush={brush}
          onBrush={onBrush}
        />
      )}
      {whole && (
        <ol>
          {shown.slice(0, 200).map((each, i) => (
            <li
              key={i}
              className={`${away && seconds(each) > away ? "fresh" : ""} ${isBad(each) ? "bad" : ""}`}
            >
              <time>{each.time.replace("T", " ").slice(5, 19)}</time>
              <b>{each.person ?? each.kind}</b>
              <span>
                {each.job && (
                  <a href={link(pid, "project", { job: each.job })}>
                    {each.job.replace(/\/$/, "")}
                  </a>
                )}{" "}
                {each.text}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function summary(
  sheet: Sheet | null,
  events: EventLine[],
  pauses: [number, number][],
  from: number,
  to: number,
  away: boolean,
): string {
  const parts: string[] = [],
    kinds: Record<string, number> = {};
  let movies = 0,
    accepted = 0,
    particles = 0;
  sheet?.times.forEach((t, i) => {
    if (t === null || t < from) return;
    movies++;
    if (sheet.kind[i]) kinds[sheet.kind[i]] = (kinds[sheet.kind[i]] ?? 0) + 1;
    else if (!sheet.live || sheet.columns.picks?.[i] != null) {
      accepted++;
      particles += sheet.particles[i] ?? 0;
    }
  });
  parts.push(
    `${clock(from)} to ${clock(to)} (${duration(to - from)}): ${count(movies)} movies, ${count(accepted)} accepted${particles ? ` with ${count(particles)} particles` : ""}`,
  );
  for (const [kind, n] of Object.entries(kinds))
    parts.push(`${count(n)} ${kind === "failure" ? "failed" : `set aside ${KINDS[kind]}`}`);
  const rest = pauses.reduce((sum, [a, b]) => sum + Math.max(0, b - Math.max(a, from)), 0);
  if (rest > 1) parts.push(`paused ${duration(rest)}`);
  const bad = events.filter(
    each => seconds(each) >= from && isBad(each) && each.kind !== "movie-aside",
  ).length;
  if (bad) parts.push(bad === 1 ? "1 problem" : `${count(bad)} problems`);
  const people = new Set(
    events.filter(each => each.person && seconds(each) >= from).map(each => each.person),
  );
  if (people.size && away) parts.push(`changes by ${[...people].join(", ")}`);
  return parts.join(" · ");
}

function Line({
  sheet,
  marks,
  pauses,
  span,
  looked,
  brush,
  onBrush,
}: {
  sheet: Sheet | null;
  marks: Mark[];
  pauses: [number, number][];
  span: [number, number];
  looked: number;
  brush: [number, number] | null;
  onBrush: (range: [number, number] | null) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<number | null>(null);
  const [tip, setTip] = useState<{ x: number; mark: Mark } | null>(null);
  const binned = useMemo(() => bins(sheet, span), [sheet, span[0], span[1]]); // eslint-disable-line
  const width = () => canvas.current!.clientWidth - PAD.left - PAD.right;
  const timeAt = (clientX: number) =>
    span[0] +
    ((clientX - canvas.current!.getBoundingClientRect().left - PAD.left) / width()) *
      (span[1] - span[0]);
  useEffect(() => {
    const el = canvas.current!;
    const draw = () => paint(el, binned, marks, pauses, span, looked, brush);
    draw();
    const seen = new ResizeObserver(draw);
    seen.observe(el);
    return () => seen.disconnect();
  }, [binned, marks, pauses, looked, brush, span[0], span[1]]); // eslint-disable-line
  const nearest = (clientX: number): Mark | null => {
    const t = timeAt(clientX),
      reach = (7 / width()) * (span[1] - span[0]);
    let best: Mark | null = null;
    for (const mark of marks)
      if (Math.abs(mark.t - t) < reach && (!best || Math.abs(mark.t - t) < Math.abs(best.t - t)))
        best = mark;
    return best;
  };
  return (
    <div className="night-line">
      <canvas
        ref={canvas}
        style={{ height: HEIGHT + LANE }}
        role="img"
        aria-label="movies per hour in time: accepted, set aside, failed; pauses and events below"
        onPointerDown={event => {
          drag.current = event.clientX;
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={event => {
          if (drag.current !== null && Math.abs(event.clientX - drag.current) > 4) {
            onBrush(
              [timeAt(drag.current), timeAt(event.clientX)].sort((a, b) => a - b) as [
                number,
                number,
              ],
            );
            return;
          }
          const low = event.nativeEvent.offsetY > HEIGHT - PAD.bottom,
            mark = low ? nearest(event.clientX) : null;
          setTip(mark ? { x: event.nativeEvent.offsetX, mark } : null);
        }}
        onPointerUp={event => {
          if (drag.current !== null && Math.abs(event.clientX - drag.current) <= 4 && brush)
            onBrush(null);
          drag.current = null;
        }}
        onPointerLeave={() => setTip(null)}
      />
      {tip && (
        <div className="night-tip" style={{ left: tip.x }}>
          {clock(tip.mark.t)} {tip.mark.event.person && <b>{tip.mark.event.person}: </b>}
          {tip.mark.event.text || tip.mark.event.kind}
        </div>
      )}
      <p className="legend">
        <i style={{ background: COLOURS.accepted }} /> accepted{" "}
        <i style={{ background: COLOURS.threshold }} /> by a limit{" "}
        <i style={{ background: COLOURS.classes }} /> by its 2D classes{" "}
        <i style={{ background: COLOURS.manual }} /> by hand{" "}
        <i style={{ background: COLOURS.failure }} /> failed{" "}
        <i style={{ background: COLOURS.waiting }} /> on its way <i className="rule" /> done per
        hour <b className="bad">▲</b> problem <b style={{ color: COLOURS.manual }}>◆</b> a person{" "}
        <b>●</b> event
        {looked > 0 && (
          <>
            {" "}
            <i className="looked" /> you last looked
          </>
        )}
      </p>
    </div>
  );
}

interface Bins {
  step: number;
  stacks: Record<keyof typeof COLOURS, number[]>;
  done: number[];
  most: number;
}

/** Movies per hour in bins of time, by what became of them; `done` counts those that were through then. */
function bins(sheet: Sheet | null, [from, to]: [number, number]): Bins {
  const steps = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  const step = steps.find(each => (to - from) / each <= 90) ?? 86400,
    n = Math.max(1, Math.ceil((to - from) / step));
  const empty = () => new Array<number>(n).fill(0),
    per = 3600 / step;
  const stacks = {
      accepted: empty(),
      threshold: empty(),
      classes: empty(),
      manual: empty(),
      failure: empty(),
      waiting: empty(),
    },
    done = empty();
  const at = (t: number) => Math.max(0, Math.min(n - 1, Math.floor((t - from) / step)));
  sheet?.times.forEach((t, i) => {
    if (t === null || t < from) return;
    const through = sheet.columns.picks?.[i] != null || !sheet.live;
    const kind = sheet.kind[i] || (through ? "accepted" : "waiting");
    const stack = kind in stacks ? stacks[kind as keyof typeof COLOURS] : stacks.threshold;
    stack[at(t)] += per;
    if (sheet.ready[i] > 0) done[at(t + sheet.ready[i])] += per;
  });
  const totals = stacks.accepted.map((_, i) =>
    Object.values(stacks).reduce((sum, each) => sum + each[i], 0),
  );
  return { step, stacks, done, most: Math.max(1, ...totals, ...done) };
}

function paint(
  el: HTMLCanvasElement,
  { step, stacks, done, most }: Bins,
  marks: Mark[],
  pauses: [number, number][],
  [from, to]: [number, number],
  looked: number,
  brush: [number, number] | null,
) {
  const w = el.clientWidth || 600,
    ratio = devicePixelRatio || 1,
    base = HEIGHT - PAD.bottom;
  el.width = w * ratio;
  el.height = (HEIGHT + LANE) * ratio;
  const c = el.getContext("2d")!;
  c.scale(ratio, ratio);
  const px = (t: number) => PAD.left + ((t - from) / (to - from)) * (w - PAD.left - PAD.right),
    py = (v: number) => base - (v / most) * (base - PAD.top);
  if (looked) {
    c.fillStyle = "#0072b212";
    c.fillRect(px(looked), 0, px(to) - px(looked), HEIGHT + LANE);
  }
  for (const [a, b] of pauses) {
    c.fillStyle = "#1d273318";
    c.fillRect(px(a), PAD.top, Math.max(2, px(b) - px(a)), base - PAD.top);
    c.fillStyle = "#5c6b7a";
    c.font = "10px system-ui";
    if (px(b) - px(a) > 40) c.fillText("paused", px(a) + 4, PAD.top + 10);
  }
  c.font = "11px system-ui";
  c.fillStyle = "#5c6b7a";
  c.strokeStyle = "#e6ebf0";
  for (const v of [0, most / 2, most]) {
    c.beginPath();
    c.moveTo(PAD.left, py(v));
    c.lineTo(w - PAD.right, py(v));
    c.stroke();
    c.textAlign = "right";
    c.fillText(String(Math.round(v)), PAD.left - 5, py(v) + 4);
  }
  c.save();
  c.translate(10, base / 2 + PAD.top);
  c.rotate(-Math.PI / 2);
  c.textAlign = "center";
  c.fillText("movies/h", 0, 0);
  c.restore();
  const wide = Math.max(1, px(from + step) - px(from) - 1);
  stacks.accepted.forEach((_, i) => {
    let low = 0;
    for (const key of Object.keys(COLOURS) as (keyof typeof COLOURS)[]) {
      const v = stacks[key][i];
      if (!v) continue;
      c.fillStyle = COLOURS[key];
      c.fillRect(
        px(from + i * step),
        py(low + v),
        Math.min(wide, px(to) - px(from + i * step) + 1),
        py(low) - py(low + v),
      );
      low += v;
    }
  });
  c.strokeStyle = "#1d2733";
  c.lineWidth = 1.3;
  c.beginPath();
  done.forEach((v, i) => {
    const x = px(Math.min(to, from + (i + 0.5) * step));
    if (i) c.lineTo(x, py(v));
    else c.moveTo(x, py(v));
  });
  if (done.some(Boolean)) c.stroke();
  c.textAlign = "center";
  c.font = "12px system-ui";
  for (const mark of marks) {
    c.fillStyle = mark.colour;
    c.fillText(mark.sign, px(mark.t), base + 14);
  }
  c.font = "11px system-ui";
  c.fillStyle = "#5c6b7a";
  // labels say minutes: none stands twice
  const n = Math.max(1, Math.min(Math.floor(w / 120), Math.floor((to - from) / 60)));
  for (let k = 0; k <= n; k++) {
    const t = from + ((to - from) * k) / n;
    c.textAlign = k === 0 ? "left" : k === n ? "right" : "center";
    c.fillText(clock(t), px(t), HEIGHT + LANE - 5);
  }
  if (looked) {
    c.strokeStyle = "#0072b2";
    c.setLineDash([4, 3]);
    c.beginPath();
    c.moveTo(px(looked), 0);
    c.lineTo(px(looked), base);
    c.stroke();
    c.setLineDash([]);
  }
  if (brush) {
    c.fillStyle = "#0072b226";
    c.fillRect(px(brush[0]), PAD.top, px(brush[1]) - px(brush[0]), base - PAD.top);
  }
}

// What happened in a session: its events, pauses, movies by the hour, and all of it in words.
import type { EventLine } from "../../../api/types";
import { count, duration } from "../../../ui/words";
import { asideBy, clock, type Sheet } from "../data";

export const seconds = (event: EventLine) => Date.parse(event.time) / 1000;
export const isBad = (event: EventLine) =>
  event.kind === "damaged" ||
  /fail|died|poison|benched|problem|killed/.test(event.kind + event.text);

export interface Mark {
  t: number;
  kind: "bad" | "person" | "event";
  event: EventLine;
}
export const SIGNS = { bad: "▲", person: "◆", event: "●" };

/** What became of movies, in the order in which it is stacked. */
export const FATES = ["accepted", "threshold", "classes", "manual", "failure", "waiting"] as const;
export type Fate = (typeof FATES)[number];

/** Intervals in which the session was paused or stopped. */
export function pausesOf(events: EventLine[], end: number): [number, number][] {
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

export function marksOf(events: EventLine[]): Mark[] {
  return events
    .filter(each => each.kind !== "movie-aside")
    .map((event): Mark => {
      const kind = isBad(event) ? "bad" : event.person ? "person" : "event";
      return { t: seconds(event), event, kind };
    })
    .filter(each => isFinite(each.t));
}

export function summary(
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
    else if (sheet.through[i]) {
      accepted++;
      particles += sheet.particles[i] ?? 0;
    }
  });
  parts.push(
    `${clock(from)} to ${clock(to)} (${duration(to - from)}): ${count(movies)} movies, ${count(accepted)} accepted${particles ? ` with ${count(particles)} particles` : ""}`,
  );
  for (const [kind, n] of Object.entries(kinds))
    parts.push(`${count(n)} ${kind === "failure" ? "failed" : `set aside ${asideBy(kind)}`}`);
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

export interface Bins {
  step: number; // seconds
  times: number[]; // the middle of each
  fates: Record<Fate, number[]>; // movies per hour
  done: number[]; // movies per hour that were through then
}

const STEPS_S = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
const MOST_BINS = 90;

/** Movies per hour in bins of time, by what became of them. A kind this page does not know counts as a limit's. */
export function bins(sheet: Sheet | null, [from, to]: [number, number]): Bins {
  const step = STEPS_S.find(each => (to - from) / each <= MOST_BINS) ?? 86400,
    n = Math.max(1, Math.ceil((to - from) / step)),
    per = 3600 / step;
  const empty = () => new Array<number>(n).fill(0);
  const fates = Object.fromEntries(FATES.map(fate => [fate, empty()])) as Record<Fate, number[]>,
    done = empty();
  const at = (t: number) => Math.max(0, Math.min(n - 1, Math.floor((t - from) / step)));
  sheet?.times.forEach((t, i) => {
    if (t === null || t < from) return;
    const fate = sheet.kind[i] || (sheet.through[i] ? "accepted" : "waiting");
    (fates[fate as Fate] ?? fates.threshold)[at(t)] += per;
    if (sheet.ready[i] > 0) done[at(t + sheet.ready[i])] += per;
  });
  return { step, times: done.map((_, i) => from + (i + 0.5) * step), fates, done };
}

// What the session's pages know of its micrographs: one sheet, whether a live session or a list of a project tells it.
import { FIGURES } from "../../figures";
import type { Micrographs, Picks } from "../../types";

export type Numbers = (number | null)[];
export type Limits = Record<string, [number | null, number | null]>;

export interface LiveMovies {
  numbers: number[];
  names: string[];
  stages: string[];
  kinds_aside: string[];
  aside: string[];
  by_hand: string[];
  taken_s: number[];
  ready_s: number[];
  thresholds: string;
  columns: Record<string, Numbers>;
}
export interface LiveStatus {
  phase: string;
  message: string;
  source: string;
  found: number;
  waiting_files: number;
  accepted: number;
  set_aside: number;
  failed: number;
  finished: number;
  particles: number;
  lag_s: number;
  in_per_hour: number;
  done_per_hour: number;
  latency_s: number;
  devices: Record<string, string>;
  thresholds?: string;
  stages: {
    name: string;
    job: string;
    done: number;
    aside: number;
    waiting: number;
    in_hand: number;
    mean_s: number;
  }[];
  newest: { number: number; name: string; micrograph: string; stage: string }[];
  not_taken: [string, string][];
  problems: string[];
  classes: { state?: string; updates?: number; averages?: string; chosen?: number[] };
}
export interface LiveSession {
  name: string;
  status: LiveStatus | null;
  state: { phase: string; message: string } | null;
  order: { jobs: Record<string, string> } | null;
}
export interface Health {
  goal: number | null;
  good_particles?: number;
  good_share?: number;
  chosen_classes?: number;
  best_chosen_angst?: number | null;
  model?: string;
  good_per_hour?: number;
  goal_missing?: number;
  goal_hours?: number;
  disc_hours?: number;
  gb_per_movie?: number;
}
export interface Overview {
  micrographs?: number;
  list?: string;
  rate_per_h?: number;
  last_age_s?: number;
  picks?: number;
  best_class_angst?: number | null;
  iteration?: number;
  classified_particles?: number | null;
  model?: string;
  median_fit_resolution_angst?: number;
  disc_free_gb: number;
  jobs: Record<string, number>;
  problem?: string;
}
export interface Grid {
  squares: { name: string; x: number | null; y: number | null }[];
  holes: { name: string; square: number; x: number | null; y: number | null }[];
  hole_of: number[];
  source: string;
  pending: number;
}
export interface Drawn {
  width: number;
  height: number;
  pixel_size_angst: number;
  picks: Picks;
}
export interface Shown extends Drawn {
  number: number;
  name: string;
}
export interface TrialShown {
  number: number;
  name: string;
  aside: string;
  figures: { key: string; title: string; unit: string; now?: number | null; trial: number }[];
  new: Record<string, boolean>;
  now_files: Record<string, string>;
  now: Drawn;
  trial: Drawn | null;
}

/** Column by column; `columns` are in the units of FIGURES. `kind`: "", threshold, manual, failure. */
export interface Sheet {
  live: boolean;
  list: string;
  names: string[];
  numbers: number[];
  times: Numbers;
  columns: Record<string, Numbers>;
  particles: Numbers;
  kind: string[];
  why: string[];
  byHand: string[];
  made: boolean[];
  ready: number[];
  thresholds: string;
}

function scaled(columns: Record<string, Numbers>, live: boolean): Record<string, Numbers> {
  const found: Record<string, Numbers> = {};
  for (const [key, { scale = 1, live: theirs }] of Object.entries(FIGURES)) {
    const values = columns[(live && theirs) || key];
    if (values?.some(v => v !== null && v !== 0))
      found[key] = scale === 1 ? values : values.map(v => (v === null ? null : v * scale));
  }
  return found;
}

export function sheetOfLive(m: LiveMovies, list: string): Sheet {
  return {
    live: true,
    list,
    names: m.names,
    numbers: m.numbers,
    times: m.taken_s,
    columns: scaled(m.columns, true),
    particles: m.columns.particles ?? m.numbers.map(() => null),
    kind: m.kinds_aside,
    why: m.aside,
    byHand: m.by_hand,
    made: m.stages.map(Boolean),
    ready: m.ready_s,
    thresholds: m.thresholds,
  };
}

export function sheetOfList(t: Micrographs): Sheet {
  const none = t.names.map(() => "");
  return {
    live: false,
    list: t.path,
    names: t.names,
    numbers: t.names.map((_, i) => i + 1),
    times: t.columns.time_s ?? t.names.map((_, i) => i),
    columns: scaled(t.columns, false),
    particles: t.columns.picks ?? t.names.map(() => null),
    kind: none,
    why: none,
    byHand: none,
    made: t.names.map(() => true),
    ready: t.names.map(() => 0),
    thresholds: "",
  };
}

/** Which rows limits would drop: those accepted now whose figure is known and outside. */
export function droppedBy(sheet: Sheet, limits: Limits): Uint8Array {
  const out = new Uint8Array(sheet.names.length);
  for (const [key, [low, high]] of Object.entries(limits)) {
    const values = sheet.columns[key];
    if (!values || (low === null && high === null)) continue;
    for (let i = 0; i < out.length; i++) {
      const v = values[i];
      if (v === null || sheet.byHand[i] === "accept" || sheet.kind[i]) continue;
      if ((low !== null && v < low) || (high !== null && v > high)) out[i] = 1;
    }
  }
  return out;
}

/** Limits in the words of the session: what stands, with those of `limits` in place of older ones on the same figure. */
export function thresholdText(limits: Limits, standing: string): string {
  const parts: string[] = [],
    replaced: Record<string, true> = {};
  for (const [key, [low, high]] of Object.entries(limits)) {
    const { live, scale = 1 } = FIGURES[key],
      name = live ?? key,
      precise = (v: number) => Number((v / scale).toPrecision(6));
    if (low !== null) {
      parts.push(`${name} >= ${precise(low)}`);
      replaced[`${LABELS[name] ?? name} >=`] = true;
      replaced[`${name} >=`] = true;
    }
    if (high !== null) {
      parts.push(`${name} <= ${precise(high)}`);
      replaced[`${LABELS[name] ?? name} <=`] = true;
      replaced[`${name} <=`] = true;
    }
  }
  const kept = standing
    .split(";")
    .map(each => each.trim())
    .filter(each => each && !replaced[each.split(/\s+/).slice(0, 2).join(" ")]);
  return [...kept, ...parts].join("; ");
}
const LABELS: Record<string, string> = {
  ctf_resolution_angst: "rlnCtfMaxResolution",
  motion_total_angst: "rlnAccumMotionTotal",
  motion_early_angst: "rlnAccumMotionEarly",
  motion_late_angst: "rlnAccumMotionLate",
  defocus_u_angst: "rlnDefocusU",
  astigmatism_angst: "rlnCtfAstigmatism",
  ctf_merit: "rlnCtfFigureOfMerit",
  ice_ring: "rlnCtfIceRingDensity",
  picks: "rlnGroupNrParticles",
  phase_shift_deg: "rlnPhaseShift",
  tilt_deg: "verglasTiltAngle",
};

/** Limits as a person reads them: "CTF fit ≤ 7 Å". */
export function saidThresholds(text: string): string {
  return text
    .split(";")
    .map(part => {
      const [, name, sign, value] = part.match(/^\s*(\w+)\s*(<=|>=)\s*(\S+)\s*$/) ?? [];
      const found = Object.entries(FIGURES).find(
        ([key, { live }]) => name === (live ?? key) || name === LABELS[live ?? key],
      );
      if (!found) return part.trim();
      const { title, unit, scale = 1 } = found[1];
      return `${title} ${sign === "<=" ? "≤" : "≥"} ${Number((Number(value) * scale).toPrecision(4))} ${unit}`.trim();
    })
    .filter(Boolean)
    .join("; ");
}

export const clock = (s: number) =>
  new Date(s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
export const KINDS: Record<string, string> = {
  threshold: "by a limit",
  manual: "by hand",
  classes: "by 2D classes",
  failure: "could not be processed",
};

// What the session's pages know of its micrographs: one sheet, whether a live session or a list of a project tells it.
import type {
  Cost,
  FigureKind,
  Grid,
  Health,
  LiveMovies,
  Micrographs,
  Numbers,
  Overview,
  Picks,
  Shown,
  TrialShown,
} from "../../api/types";
import { shownColumns } from "../../figures";

export type { Cost, Grid, Health, LiveMovies, Numbers, Overview, Shown, TrialShown };

export interface LiveStatus {
  map?: { state?: string };
  phase: string;
  message: string;
  source: string;
  found: number;
  waiting_files: number;
  accepted: number;
  set_aside: number;
  failed: number;
  finished: number;
  judged: number;
  particles: number;
  lag_s: number;
  in_per_hour: number;
  done_per_hour: number;
  in_range: [number, number];
  done_range: [number, number];
  rate_over_s: number;
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
export interface Drawn {
  width: number;
  height: number;
  pixel_size_angst: number;
  picks: Picks;
}

/** Column by column, in the units they are shown in. `kind`: "", threshold, manual, classes, failure. */
export interface Sheet {
  live: boolean;
  list: string;
  kinds: FigureKind[]; // of the columns, in their order
  names: string[];
  numbers: number[];
  times: Numbers;
  columns: Record<string, Numbers>;
  particles: Numbers;
  kind: string[];
  why: string[];
  byHand: string[];
  stages: string[];
  made: boolean[];
  through: boolean[]; // no longer on its way
  ready: number[];
  thresholds: string;
}

function figures(columns: Record<string, Numbers>, kinds: FigureKind[]) {
  const shown = shownColumns(columns, kinds);
  return { columns: shown, kinds: kinds.filter(each => each.key in shown) };
}

export function sheetOfLive(m: LiveMovies, list: string): Sheet {
  return {
    ...figures(m.columns, m.kinds),
    live: true,
    list,
    names: m.names,
    numbers: m.numbers,
    times: m.taken_s,
    particles: m.columns.particles ?? m.numbers.map(() => null),
    kind: m.kinds_aside,
    why: m.aside,
    byHand: m.by_hand,
    stages: m.stages,
    made: m.stages.map(Boolean),
    through: m.numbers.map((_, i) => m.columns.picks?.[i] != null),
    ready: m.ready_s,
    thresholds: m.thresholds,
  };
}

export function sheetOfList(t: Micrographs): Sheet {
  const none = t.names.map(() => "");
  return {
    ...figures(t.columns, t.kinds),
    live: false,
    list: t.path,
    names: t.names,
    numbers: t.names.map((_, i) => i + 1),
    times: t.columns.time_s ?? t.names.map((_, i) => i),
    particles: t.columns.picks ?? t.names.map(() => null),
    kind: none,
    why: none,
    byHand: none,
    stages: none,
    made: t.names.map(() => true),
    through: t.names.map(() => true),
    ready: t.names.map(() => 0),
    thresholds: "",
  };
}

export const figureOf = (sheet: Sheet, key: string) =>
  sheet.kinds.find(each => each.key === key) ?? null;

export const clock = (s: number) =>
  new Date(s * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

/** What set a movie aside; what a newer server may add reads as it is. */
export const KINDS: Record<string, string> = {
  threshold: "by a limit",
  manual: "by hand",
  classes: "by 2D classes",
  failure: "could not be processed",
};
export const asideBy = (kind: string) => KINDS[kind] ?? `by ${kind}`;

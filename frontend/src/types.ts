// What the server answers (see /api/openapi.json).

export interface Who {
  version: string;
  needs_token: boolean;
  name: string | null;
  role: "operator" | "viewer" | null;
  project: string;
}
export interface ProjectRow {
  id: string;
  title: string;
  path: string;
  jobs: Record<string, number>;
}
export interface Bar {
  fraction: number;
  done: string;
  total: string;
  unit: string;
  title?: string;
}
export interface JobRow {
  name: string;
  alias: string;
  status: string;
  folder: string;
  foreign: boolean;
  reason: string;
  list: "Finished" | "Running" | "Scheduled";
  bar?: Bar | null;
}
export interface Edge {
  from: string;
  to: string;
  node: string;
  type: string;
}
export interface Jobs {
  jobs: JobRow[];
  edges: Edge[];
  outside: string[];
  trash: string[];
}
export interface JobType {
  folder: string;
  title: string;
  incremental: boolean;
  interactive: boolean;
}
export interface Field {
  key: string;
  label: string;
  help: string;
  unit: string;
  default: string;
  kind: "yesno" | "choice" | "node" | "whole" | "number" | "file" | "text";
  minimum: number | null;
  maximum: number | null;
  step: number | null;
  choices: string[];
  node: string | null;
  pattern: string;
  on_continue: "always" | "locked" | "only";
}
export interface Tab {
  title: string;
  fields: Field[];
}
export type Values = Record<string, string>;
export interface Form {
  type: string;
  title: string;
  tabs: Tab[];
  values: Values;
  incremental?: boolean;
}
export interface ShownNode {
  name: string;
  type: string;
  exists: boolean;
  producer: string;
}
export interface Job extends JobRow {
  title: string;
  type?: string;
  tabs: Tab[];
  values: Values;
  is_continue?: boolean;
  incremental?: boolean;
  page?: "" | "classes" | "maps"; // that shows an iteration's result
  has_halves?: boolean; // an iteration has a model for each half of the particles
  inputs: ShownNode[];
  outputs: ShownNode[];
  note: string;
  files: string[];
  unknown?: string;
  warnings?: string[];
}
export interface Checked {
  problems: Record<string, string>;
  complaints: string[];
  warnings: Record<string, string>;
  missing: string[];
  active: Record<string, boolean>;
  command: string;
  outputs: { name: string; type: string }[];
}
export interface Offer {
  name: string;
  type: string;
  exists: boolean;
  producer: string;
  shown_producer: string;
}
export interface LogLine {
  text?: string;
  bar?: Bar;
}
export interface Log {
  size: number;
  cut: boolean;
  lines: LogLine[];
}
export interface Schedule {
  name: string;
  jobs: string[];
  repeat: number;
  min_wait_min: number;
  phase: string;
  round: number;
  in_hand: string;
  message: string;
  over: boolean;
  wanted: boolean;
  alive: boolean | null;
  next_round_in_s: number | null;
  results: Record<string, { kind: string; reason: string }>;
}
export interface Micrographs {
  path: string;
  names: string[];
  columns: Record<string, (number | null)[]>;
  pixel_size_angst: number;
}
export interface PickSource {
  node: string;
  job: string;
  shown: string;
  editable: boolean;
}
export interface MicrographInfo {
  width: number;
  height: number;
  tile: number;
  levels: number;
  changed: number;
  has_spectrum: boolean;
  drift: { frame: number[]; x: number[]; y: number[] } | null;
  ctf: { frequency: number[]; spectrum: number[]; ctf: number[]; agreement: number[] } | null;
}
export interface Picks {
  x: number[];
  y: number[];
  fom: number[] | null;
  threshold: number | null;
}
export interface ClassRow {
  number: number;
  image: string;
  share: number;
  resolution_angst: number | null;
  particles: number | null;
}
export interface Gallery {
  model: string;
  job: string;
  iteration: number;
  pixel_size_angst: number;
  box_size: number;
  dimensions: number;
  classes: ClassRow[];
  models: string[];
  data: string | null;
  columns: number;
  changed: number;
}
export interface Column {
  label: string;
  numeric: boolean;
  unit: string;
  meaning: string;
}
export interface Block {
  name: string;
  rows: number;
  is_list: boolean;
  columns: Column[];
  values?: Record<string, string>;
}
export interface Page {
  total: number;
  passing: number;
  offset: number;
  rows: number[];
  cells: string[][];
}
export interface Curve {
  name: string;
  x: number[];
  y: (number | null)[];
}
export interface EventLine {
  time: string;
  kind: string;
  text: string;
  person?: string;
  job?: string;
}

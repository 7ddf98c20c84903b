import { expect, test } from "vitest";
import type { FigureKind, LiveMovies } from "../../src/api/types";
import { shownColumns } from "../../src/figures";
import { between, ordered } from "../../src/pages/classes/order";
import { around, places } from "../../src/pages/project/places";
import { sheetOfLive } from "../../src/pages/session/data";
import {
  droppedBy,
  forList,
  saidThresholds,
  thresholdText,
} from "../../src/pages/session/limits/limits";
import { merged } from "../../src/pages/session/merging";
import { bins } from "../../src/pages/session/night/told";

const kind = (key: string, label: string, scale = 1, also: string[] = []): FigureKind => ({
  key,
  label,
  title: key,
  unit: "Å",
  stage: "CtfFind",
  definition: "",
  better: "",
  also,
  shown_unit: scale === 1 ? "" : "µm",
  shown_scale: scale,
});
const KINDS = [
  kind("defocus_u_angst", "rlnDefocusU", 1e-4),
  kind("ctf_resolution_angst", "rlnCtfMaxResolution"),
  kind("tilt_deg", "verglasTiltAngle", 1, ["verglasCtfTilt"]),
];

function movies(numbers: number[], given: Partial<LiveMovies> = {}): LiveMovies {
  const each = <T>(value: T) => numbers.map(() => value);
  return {
    numbers,
    names: numbers.map(n => `m${n}.mrc`),
    stages: each("Extract"),
    kinds_aside: each(""),
    aside: each(""),
    by_hand: each(""),
    taken_s: numbers.map(n => 2e6 + 60 * n),
    ready_s: each(30),
    columns: { ctf_resolution_angst: numbers.map(n => n + 0.5), picks: each(100) },
    kinds: KINDS,
    thresholds: "",
    since: "",
    version: "1",
    total: numbers.length,
    ...given,
  };
}

test("changed rows are put in their places, new ones after them", () => {
  const known = movies([1, 2, 3]);
  const fresh = movies([2, 4], { since: "1", version: "2", total: 4 });
  fresh.kinds_aside = ["manual", ""];
  fresh.columns = { ctf_resolution_angst: [9, 4.5], tilt_deg: [1, 2] };
  const found = merged(known, fresh);
  expect(found.numbers).toEqual([1, 2, 3, 4]);
  expect(found.names).toEqual(["m1.mrc", "m2.mrc", "m3.mrc", "m4.mrc"]);
  expect(found.kinds_aside).toEqual(["", "manual", "", ""]);
  expect(found.columns.ctf_resolution_angst).toEqual([1.5, 9, 3.5, 4.5]);
  expect(found.columns.tilt_deg).toEqual([null, 1, null, 2]);
  expect(found.columns.picks).toEqual([100, null, 100, null]);
  expect(known.columns.ctf_resolution_angst).toEqual([1.5, 2.5, 3.5]); // what pages hold stays
  expect(merged(known, movies([1], { since: "" })).names).toEqual(["m1.mrc"]); // all rows: a new beginning
});

test("figures are shown in the units the server names; what holds nothing is left out", () => {
  expect(shownColumns({ defocus_u_angst: [12000, null], tilt_deg: [0, null] }, KINDS)).toEqual({
    defocus_u_angst: [1.2, null],
  });
});

test("limits drop what is accepted, known and outside, but nothing taken back by hand", () => {
  const sheet = sheetOfLive(movies([1, 2, 3, 4]), "");
  sheet.byHand[3] = "accept";
  expect([...droppedBy(sheet, { ctf_resolution_angst: [null, 2.6] })]).toEqual([0, 0, 1, 0]);
  sheet.kind[2] = "classes";
  expect([...droppedBy(sheet, { ctf_resolution_angst: [null, 2.6] })]).toEqual([0, 0, 0, 0]);
});

test("limits go to the session by key and in its units, replacing those on the same figure", () => {
  const standing = "rlnDefocusU <= 30000; verglasCtfTilt <= 5";
  expect(thresholdText({ defocus_u_angst: [0.8, 2.5] }, standing, KINDS)).toBe(
    "verglasCtfTilt <= 5; defocus_u_angst >= 8000; defocus_u_angst <= 25000",
  );
  expect(forList({ defocus_u_angst: [null, 2.5], tilt_deg: [null, null] }, KINDS)).toEqual([
    { figure: "defocus_u_angst", low: null, high: 25000 },
  ]);
  expect(saidThresholds("rlnDefocusU <= 30000; other < 3", KINDS)).toBe(
    "defocus_u_angst ≤ 3 µm; other < 3",
  );
});

test("a fate that this page does not know does not blank it", () => {
  const sheet = sheetOfLive(movies([1, 2, 3]), "");
  sheet.kind[0] = "something new";
  const found = bins(sheet, [2e6, 2e6 + 240]);
  const sum = (fate: "threshold" | "accepted") => found.fates[fate].reduce((a, b) => a + b);
  expect(sum("threshold") * (found.step / 3600)).toBeCloseTo(1);
  expect(sum("accepted") * (found.step / 3600)).toBeCloseTo(2);
});

test("every job has a place of its own in the graph, after what it needs", () => {
  const jobs = ["a", "b", "c", "d"].map(name => ({ name }));
  const edge = (from: string, to: string) => ({ from, to, node: "", type: "" });
  const at = places({
    jobs,
    edges: [edge("a", "b"), edge("a", "c"), edge("b", "d"), edge("c", "d")],
  });
  expect(new Set([...at.values()].map(p => `${p.x},${p.y}`)).size).toBe(4);
  expect(at.get("d")!.x).toBeGreaterThan(at.get("b")!.x);
  const some = { jobs, edges: [edge("a", "b"), edge("b", "d")] };
  expect(around(some, "b")).toEqual(["b", "a", "d"]);
  expect(around(some, "")).toEqual(["a", "b", "c", "d"]);
});

test("empty classes come last by resolution and can be left out", () => {
  const row = (number: number, particles: number, resolution_angst: number) => ({
    number,
    particles,
    resolution_angst,
    share: particles / 10,
    image: "",
    empty: particles === 0,
  });
  const rows = [row(1, 4, 9), row(2, 0, 3), row(3, 6, 12)];
  const numbers = (...given: [boolean, boolean]) =>
    ordered(rows, "resolution", ...given).map(each => each.number);
  expect(numbers(false, true)).toEqual([1, 3, 2]);
  expect(numbers(false, false)).toEqual([1, 3]);
  expect(ordered(rows, "share", true, true).map(each => each.number)).toEqual([2, 1, 3]);
  expect(between([5, 3, 8, 1], 8, 3)).toEqual([3, 8]);
});

import { expect, test } from "vitest";
import type { Answers, SessionPart } from "../../src/api/types";
import { fscColumns, growthSpec } from "../../src/pages/session/map/growth";
import { ordered } from "../../src/pages/session/map/parts";

const HOUR = 3600,
  THEN = { low: 3.0, middle: 3.2, high: 3.5 };
const ANSWERS = {
  history: [
    { time: 0, particles: 1000, resolution_angst: 8 },
    { time: HOUR, particles: 10000, resolution_angst: 4 },
  ],
  forecast: {
    why: "",
    band: [
      [10000, 3.8, 4, 4.2],
      [100000, 3, 3.2, 3.5],
    ],
    ahead: [[4, THEN]],
    targets: [],
    limits: [],
    worth: "",
  },
  now: { particles: 10000, frequency: [0, 0.1, 0.2], fsc: [1, 0.9, 0.1] },
  before: { particles: 1000, frequency: [0, 0.1], fsc: [1, 0.5] },
} as unknown as Answers;

test("measured points and the band stand on one logarithmic axis", () => {
  const spec = growthSpec(ANSWERS, "particles", "#f00")!;
  expect(spec.x).toEqual([3, 4, 4, 5]);
  expect(spec.series.map(each => each.y)).toEqual([
    [8, 4, null, null],
    [null, null, 4, 3.2],
    [null, null, 4.2, 3.5],
    [null, null, 3.8, 3],
  ]);
  expect(spec.bands).toEqual([[2, 3]]);
  expect(spec.xText!(4)).toBe("10k");
});

test("in time the band begins at the last update", () => {
  const spec = growthSpec(ANSWERS, "time", "#f00")!;
  expect(spec.x).toEqual([0, HOUR, HOUR, 5 * HOUR]);
  expect(spec.series[1].y).toEqual([null, null, 4, 3.2]);
});

test("the plot of the B-factor has 1/d²", () => {
  const spec = growthSpec(ANSWERS, "b-factor", "#f00")!;
  expect(spec.series[0].y.slice(0, 2)).toEqual([1 / 64, 1 / 16]);
});

test("without a forecast only what was measured is drawn, without updates nothing", () => {
  const spec = growthSpec({ ...ANSWERS, forecast: null }, "particles", "#f00")!;
  expect(spec.series).toHaveLength(2);
  expect(spec.bands).toBeUndefined();
  expect(growthSpec({ ...ANSWERS, history: [] }, "particles", "#f00")).toBeNull();
});

test("FSC before stands at the frequencies of now", () => {
  expect(fscColumns(ANSWERS)!.series[1].y).toEqual([1, 0.5, null]);
});

const part = (name: string, per_movie: number, verdict = "", begin: number | null = null) =>
  ({ name, begin, adds: { per_movie, verdict } }) as unknown as SessionPart;

test("squares that add nothing come first, hours stay in order", () => {
  const squares = [
    part("a", 1.2),
    part("b", 0.3),
    part("c", 0.5, "little"),
    part("d", 0, "nothing"),
  ];
  expect(ordered(squares).map(each => each.name)).toEqual(["d", "c", "b", "a"]);
  const hours = [part("1", 1, "", 1), part("2", 0, "nothing", 2)];
  expect(ordered(hours)).toBe(hours);
});

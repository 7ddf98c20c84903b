import { expect, test } from "vitest";
import { binned, partOf } from "../../src/plots/bins";
import { toCsv, toSvg } from "../../src/plots/files";
import { inOrder, lowerBound, range, ticks, type Spec } from "../../src/plots/spec";

const SPEC: Spec = {
  title: "Drift & more",
  x: [1, 2, 3],
  xTitle: "frame",
  yTitle: "drift (Å)",
  series: [
    { name: "a, b", y: [0.5, null, 1.5] },
    { name: "c", y: [1, 2, 3], kind: "bars" },
  ],
};

test("ticks are round and inside", () => {
  expect(ticks([0, 1], 4)).toEqual([0, 0.5, 1]);
  expect(ticks([-0.1, 1.05], 5)).toEqual([0, 0.5, 1]);
  expect(ticks([980, 1420], 4)).toEqual([1000, 1200, 1400]);
  expect(ticks([5, 5], 4)).toEqual([5]);
});

test("rows come in the order of x, those without are left out", () => {
  expect(inOrder([3, null, 1, 2])).toEqual([2, 3, 0]);
  expect(inOrder([1, 2, NaN])).toEqual([0, 1]);
  expect(lowerBound([1, 2, 4, 8], 3)).toBe(2);
  expect(lowerBound([1, 2], 9)).toBe(2);
});

test("ranges of nothing and of one value can be drawn", () => {
  expect(range([null])).toEqual([0, 1]);
  expect(range([4])).toEqual([3.5, 4.5]);
});

test("a histogram counts every value once, outliers in the last bins", () => {
  const values = Array.from({ length: 1000 }, (_, i) => (i === 7 ? 1e6 : i % 100));
  const bins = binned(values)!;
  expect(bins.counts.reduce((a, b) => a + b)).toBe(1000);
  expect(bins.high).toBeLessThan(200);
  const half = Uint8Array.from(values, (_, i) => i % 2);
  expect(partOf(values, half, bins).reduce((a, b) => a + b)).toBe(500);
  expect(binned([null, NaN])).toBeNull();
});

test("a plot's numbers stand in its CSV, what is not known is empty", () => {
  expect(toCsv(SPEC)).toBe('frame,"a, b",c\n1,0.5,1\n2,,2\n3,1.5,3\n');
  const table = [{ name: "raw", y: [7, 8, 9] }];
  expect(toCsv({ ...SPEC, table })).toBe("frame,raw\n1,7\n2,8\n3,9\n");
});

test("a plot's drawing has its titles, a bar each, and only the part that is shown", () => {
  const whole = toSvg(SPEC);
  expect(whole).toContain("Drift &amp; more");
  expect(whole).toContain("drift (Å)");
  expect(whole.match(/<rect/g)).toHaveLength(4); // the paper and three bars
  expect(toSvg(SPEC, [1.5, 3]).match(/<rect/g)).toHaveLength(3);
});

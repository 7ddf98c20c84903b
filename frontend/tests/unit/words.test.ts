import { expect, test } from "vitest";
import { partsOf, touched } from "../../src/api/parts";
import { endings } from "../../src/files/patterns";
import { wellFormed, wrongFilter } from "../../src/pages/tables/filters";
import { queryOf, viewOf } from "../../src/pages/tables/query";
import { cell, rate } from "../../src/ui/words";

test("numbers of a table keep their power of ten and six digits", () => {
  expect(cell("3.8709555045841e-05")).toBe("3.871e-5");
  expect(cell("0.0001234567")).toBe("1.2346e-4");
  expect(cell("12345.678912")).toBe("12345.7");
  expect(cell("1000000012345.5")).toBe("1e+12");
  expect(cell("123456789")).toBe("123456789"); // a whole number as it is
  expect(cell("000012@Extract/job005/a.mrcs")).toBe("000012@Extract/job005/a.mrcs");
  expect(cell("-180.000000")).toBe("-180");
  expect(cell("nan")).toBe("nan");
});

test("a rate says between what it lies where counting is too short", () => {
  expect(rate(247)).toBe("247");
  expect(rate(240, [150, 360])).toBe("240 (150–360)");
  expect(rate(240, [235, 245])).toBe("240");
});

test("a change reads again what is made of it, and nothing else", () => {
  const told = (path: string, what: string[]) => touched(partsOf(path), what);
  expect(told("p/x/live/night1/movies", ["movies/night1"])).toBe(true);
  expect(told("p/x/live/night1/movies", ["movies/other", "live/night1"])).toBe(false);
  expect(told("p/x/live/night1", ["live/night1"])).toBe(true);
  expect(told("p/x/live", ["live/night1"])).toBe(true);
  expect(told("p/x/jobs", ["schedules"])).toBe(true);
  expect(told("p/x/events", ["progress"])).toBe(false);
  expect(told("p/x/types/Import/form", ["jobs", "progress"])).toBe(false);
  expect(partsOf("p/x/files")).toEqual([]); // read anew whenever it is shown
});

const COLUMNS = [
  { label: "rlnDefocusU", numeric: true, unit: "Å", meaning: "" },
  { label: "rlnMicrographName", numeric: false, unit: "", meaning: "" },
];

test("a wrong filter is refused in words", () => {
  expect(wrongFilter("rlnDefocusU > 1e4", COLUMNS)).toBe("");
  expect(wrongFilter("DefocusU<=10000", COLUMNS)).toBe("");
  expect(wrongFilter("rlnDefocusU >> 1", COLUMNS)).toContain("no comparison");
  expect(wrongFilter("rlnDefocusU > abc", COLUMNS)).toContain("abc is none");
  expect(wrongFilter("rlnNothing > 1", COLUMNS)).toContain("no column rlnNothing");
  expect(wrongFilter("rlnMicrographName > 3", COLUMNS)).toContain("holds text");
  expect(wrongFilter("rlnDefocusU >", COLUMNS)).toContain("missing");
  expect(wellFormed("DefocusU<=10000", COLUMNS)).toBe("rlnDefocusU <= 10000");
});

test("a view of a table comes back from its address", () => {
  const view = {
    sort: "rlnDefocusU",
    descending: true,
    filters: ["rlnDefocusU > 1", "rlnMicrographName ~ a,b"],
    hidden: ["rlnVoltage"],
    plot: true,
  };
  expect(viewOf(queryOf(view, "a.star", ""))).toEqual(view);
});

test("patterns of files as RELION writes them", () => {
  expect(endings("Gain (*.{mrc,tif})")).toEqual([".mrc", ".tif"]);
  expect(endings("STAR Files (*_optimiser.star)")).toEqual(["_optimiser.star"]);
  expect(endings("All (*.*)")).toEqual([]);
});

import { expect, test } from "vitest";
import { greyEnds } from "../../src/pages/micrographs/grey";
import { cxcOf } from "../../src/pages/maps/cxc";
import { crossing } from "../../src/pages/maps/crossing";

test("a script for ChimeraX opens what is shown, with whole paths", () => {
  const text = cxcOf({
    root: "/data/grid 3/",
    map: "PostProcess/job003/postprocess.mrc",
    level: 0.0123456,
    mask: "MaskCreate/job002/mask.mrc",
    colour: { map: "LocalRes/job004/relion_locres.mrc", range: [3.44, 3.82] },
    atoms: "/models/a.pdb",
  });
  expect(text.split("\n")).toEqual([
    "# made by verglas",
    'open "/data/grid 3/PostProcess/job003/postprocess.mrc"',
    "volume #1 style surface step 1 level 0.012346 color #8fb8d6",
    'open "/data/grid 3/MaskCreate/job002/mask.mrc"',
    "volume #2 style mesh level 0.5 color #e69f00",
    'open "/data/grid 3/LocalRes/job004/relion_locres.mrc"',
    "hide #3 models",
    "color sample #1 map #3 palette #2b7bba:#9ec5e0:#f2f0ec:#f0b183:#d9642b range 3.44,3.82",
    'open "/models/a.pdb"',
    "transparency #1 50",
    "view",
    "",
  ]);
});

test("where a curve falls below a limit, between two shells", () => {
  expect(crossing([0, 0.1, 0.2, 0.3], [1, 1, 0.5, 0], 0.25)).toBe("falls below 0.25 at 4.00 Å");
  expect(crossing([0, 0.1, 0.2], [1, 1, 0.5], 0.143)).toBe("does not fall below 0.143");
});

test("contrast by itself leaves out a few pixels at either end", () => {
  const rgba = new Uint8ClampedArray(4 * 1000);
  for (let i = 0; i < 1000; i++) rgba[4 * i] = i < 5 ? 0 : i > 994 ? 255 : 100 + (i % 50);
  const [black, white] = greyEnds(rgba);
  expect(black).toBeGreaterThanOrEqual(99);
  expect(black).toBeLessThanOrEqual(102);
  expect(white).toBeGreaterThanOrEqual(147);
  expect(white).toBeLessThanOrEqual(150);
});

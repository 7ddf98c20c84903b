// A script for ChimeraX that shows what a panel shows.

import { RESOLUTIONS } from "./colours";

export interface Scene {
  root: string; // of the project
  map: string;
  level: number;
  mask?: string;
  colour?: { map: string; range: [number, number] };
  atoms?: string;
}

const quoted = (path: string) => `"${path.replace(/"/g, '\\"')}"`;
const place = (root: string, path: string) =>
  path.startsWith("/") ? path : `${root.replace(/\/$/, "")}/${path}`;

export function cxcOf({ root, map, level, mask, colour, atoms }: Scene): string {
  const lines = ["# made by verglas", `open ${quoted(place(root, map))}`];
  lines.push(`volume #1 style surface step 1 level ${Number(level.toPrecision(5))} color #8fb8d6`);
  let model = 1;
  if (mask) {
    model++;
    lines.push(`open ${quoted(place(root, mask))}`);
    lines.push(`volume #${model} style mesh level 0.5 color #e69f00`);
  }
  if (colour) {
    model++;
    const [low, high] = colour.range.map(v => v.toFixed(2));
    lines.push(`open ${quoted(place(root, colour.map))}`, `hide #${model} models`);
    const palette = RESOLUTIONS.join(":");
    lines.push(`color sample #1 map #${model} palette ${palette} range ${low},${high}`);
  }
  if (atoms) {
    model++;
    lines.push(`open ${quoted(place(root, atoms))}`, `transparency #1 50`);
  }
  return [...lines, "view"].join("\n") + "\n";
}

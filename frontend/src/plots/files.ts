// A plot as a file: its numbers (CSV), a drawing for paper (SVG), the picture as it is shown (PNG).
import { range, short, ticks, type Series, type Spec } from "./spec";

const INK = "#1d2733",
  GRID = "#e6ebf0",
  COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b87f00", "#56b4e9"];
const PAD = { left: 62, right: 16, top: 28, bottom: 44 };

const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text);

export function toCsv(spec: Spec): string {
  const columns = spec.table ?? spec.series;
  const head = [spec.xTitle, ...columns.map(each => each.name)].map(cell).join(",");
  const lines = spec.x.map((x, i) =>
    [x, ...columns.map(each => each.y[i])].map(v => (v == null ? "" : String(v))).join(","),
  );
  return [head, ...lines].join("\n") + "\n";
}

const escaped = (text: string) =>
  text.replace(/[&<>"]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);

interface Scales {
  px: (v: number) => number;
  py: (v: number) => number;
  base: number;
}

function drawn(series: Series, x: number[], colour: string, { px, py, base }: Scales): string {
  const at = x
    .map((v, i): [number, number | null] => [px(v), series.y[i] == null ? null : py(series.y[i]!)])
    .filter((p): p is [number, number] => p[1] !== null && isFinite(p[1]));
  if (series.kind === "points")
    return at
      .map(([a, b]) => `<circle cx="${a.toFixed(1)}" cy="${b.toFixed(1)}" r="2" fill="${colour}"/>`)
      .join("");
  if (series.kind === "bars") {
    const wide = at.length > 1 ? Math.max(1, (at[1][0] - at[0][0]) * 0.9) : 10;
    return at
      .map(
        ([a, b]) =>
          `<rect x="${(a - wide / 2).toFixed(1)}" y="${Math.min(b, base).toFixed(1)}" ` +
          `width="${wide.toFixed(1)}" height="${Math.abs(base - b).toFixed(1)}" fill="${colour}"/>`,
      )
      .join("");
  }
  const points = at.map(p => p.map(v => v.toFixed(1)).join(",")).join(" ");
  const dash = series.dash ? ` stroke-dasharray="${series.dash.join(" ")}"` : "";
  return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.5"${dash}/>`;
}

/** The whole plot as SVG, black on white. `view`: the part of x that is shown. */
export function toSvg(
  spec: Spec,
  view: [number, number] | null = null,
  width = 640,
  height = 400,
): string {
  const xr = view ?? spec.xRange ?? range(spec.x, 0);
  const inside = spec.x.map(v => v >= xr[0] && v <= xr[1]);
  const shown = spec.series.flatMap(each => each.y.filter((_, i) => inside[i]));
  const bars = spec.series.some(each => each.kind === "bars");
  const yr = spec.yRange ?? range(bars ? [...shown, 0] : shown);
  const px = (v: number) =>
    PAD.left + ((v - xr[0]) / (xr[1] - xr[0] || 1)) * (width - PAD.left - PAD.right);
  const py = (v: number) =>
    height - PAD.bottom - ((v - yr[0]) / (yr[1] - yr[0] || 1)) * (height - PAD.top - PAD.bottom);
  const scales = { px, py, base: py(Math.max(0, yr[0])) };
  const text = (x: number, y: number, what: string, anchor = "middle", more = "") =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${more}>${escaped(what)}</text>`;
  const out = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `font-family="system-ui, sans-serif" font-size="12" fill="${INK}">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(PAD.left, 17, spec.title, "start"),
  ];
  for (const v of ticks(yr, 5))
    out.push(
      `<line x1="${PAD.left}" x2="${width - PAD.right}" y1="${py(v)}" y2="${py(v)}" stroke="${GRID}"/>`,
      text(PAD.left - 6, py(v) + 4, (spec.yText ?? short)(v), "end"),
    );
  for (const v of ticks(xr, 6))
    out.push(
      `<line x1="${px(v)}" x2="${px(v)}" y1="${PAD.top}" y2="${height - PAD.bottom}" stroke="${GRID}"/>`,
      text(px(v), height - PAD.bottom + 16, (spec.xText ?? short)(v)),
    );
  out.push(
    text((PAD.left + width - PAD.right) / 2, height - 8, spec.xTitle),
    text(0, 0, spec.yTitle, "middle", ` transform="translate(14 ${height / 2}) rotate(-90)"`),
  );
  for (const mark of spec.marks ?? []) {
    const line =
      mark.y !== undefined ? [PAD.left, width - PAD.right, py(mark.y), py(mark.y)] : null;
    const [x1, x2, y1, y2] = line ?? [px(mark.x!), px(mark.x!), PAD.top, height - PAD.bottom];
    out.push(
      `<line x1="${x1}" x2="${x2}" y1="${y1}" y2="${y2}" stroke="${INK}" stroke-dasharray="4 3"/>`,
    );
    if (mark.text) out.push(text(x1 + 4, (line ? y1 : PAD.top + 10) - 4, mark.text, "start"));
  }
  const kept = spec.x.filter((_, i) => inside[i]);
  spec.series.forEach((each, n) => {
    const part = { ...each, y: each.y.filter((_, i) => inside[i]) };
    const colour = COLOURS[n % COLOURS.length];
    out.push(drawn(part, kept, colour, scales));
    if (spec.series.length > 1)
      out.push(
        `<text x="${width - PAD.right - 4}" y="${PAD.top + 14 + 15 * n}" text-anchor="end" ` +
          `fill="${colour}">${escaped(each.name)}</text>`,
      );
  });
  return out.join("\n") + "\n</svg>\n";
}

export function download(name: string, content: Blob | string, type = "text/plain") {
  const blob = content instanceof Blob ? content : new Blob([content], { type });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/** A canvas on paper of the theme's colour, with the title above it. */
export function saveCanvas(canvas: HTMLCanvasElement, name: string, paper: string) {
  const made = document.createElement("canvas");
  made.width = canvas.width;
  made.height = canvas.height;
  const c = made.getContext("2d")!;
  c.fillStyle = paper;
  c.fillRect(0, 0, made.width, made.height);
  c.drawImage(canvas, 0, 0);
  made.toBlob(blob => blob && download(name, blob), "image/png");
}

export const fileName = (title: string) =>
  title
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "") || "plot";

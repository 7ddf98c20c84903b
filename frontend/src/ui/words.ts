// How numbers, names and states read.

export const shortName = (job: string) => job.replace(/\/$/, "").replace(/^[^/]+\//, "");
export const baseName = (path: string) => path.split("/").pop() ?? path;
export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
export const count = (n: number) => n.toLocaleString("en-GB");

export function shownName(job: { name: string; alias: string }): string {
  return (job.alias === "None" ? job.name : job.alias).replace(/\/$/, "");
}

export function duration(seconds: number): string {
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.round(s / 86400)} days`;
}

export function number(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  return Math.abs(value) >= 10000
    ? count(Math.round(value))
    : String(Number(value.toPrecision(digits)));
}

const DIGITS = 6; // of a number in a table; the whole of it stands in the tooltip

/** A number of a table as it is read: six digits, its power of ten never cut off. Other text as it is. */
export function cell(text: string): string {
  if (!/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text) || /^[-+]?\d+$/.test(text)) return text;
  const v = Number(text),
    size = Math.abs(v);
  if (size !== 0 && (size >= 1e7 || size < 1e-3))
    return v.toExponential(DIGITS - 2).replace(/\.?0+e/, "e");
  return String(Number(v.toPrecision(DIGITS)));
}

/** A rate that counting so few makes uncertain: "240 (150–360)". */
export function rate(value: number, between?: readonly [number, number] | null): string {
  const middle = count(Math.round(value));
  if (!between || between[1] - between[0] < 0.25 * value) return middle;
  return `${middle} (${count(Math.round(between[0]))}–${count(Math.round(between[1]))})`;
}

/** States are told apart by sign and by colour, never by colour alone. */
export const STATES: Record<string, { sign: string; className: string }> = {
  Running: { sign: "▶", className: "running" },
  Scheduled: { sign: "◷", className: "scheduled" },
  Succeeded: { sign: "✓", className: "succeeded" },
  Failed: { sign: "✕", className: "failed" },
  Aborted: { sign: "⊘", className: "aborted" },
};

/** Which page shows a file of this node type. */
export function viewerOf(pid: string, node: { name: string; type: string }): string {
  const q = (page: string, query: Record<string, string>) =>
    `#/p/${pid}/${page}?${new URLSearchParams(query)}`;
  if (node.type === "micrographs") return q("micrographs", { list: node.name });
  if (node.type === "coordinates") return q("micrographs", { picks: node.name });
  if (node.type === "model" || node.type === "optimiser") return q("classes", { model: node.name });
  if (/\.mrcs?$/.test(node.name) && /map|mask/.test(node.type)) return q("maps", { a: node.name });
  if (node.name.endsWith("postprocess.star")) return q("maps", { model: node.name });
  if (node.name.endsWith(".pdf")) return `api/p/${pid}/file?path=${encodeURIComponent(node.name)}`;
  return q("tables", { path: node.name });
}

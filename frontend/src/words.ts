// How numbers, names and states read.

export const shortName = (job: string) => job.replace(/\/$/, "").replace(/^[^/]+\//, "");
export const baseName = (path: string) => path.split("/").pop() ?? path;
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
  if (node.name.endsWith(".pdf")) return `api/p/${pid}/file?path=${encodeURIComponent(node.name)}`;
  return q("tables", { path: node.name });
}

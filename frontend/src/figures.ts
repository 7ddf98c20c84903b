// Figures of micrographs in the server's vocabulary: what they are called, in which unit they are shown.
import type { FigureKind, Numbers } from "./api/types";

export const unitOf = (kind: FigureKind) => kind.shown_unit || kind.unit;
export const titled = (kind: FigureKind) =>
  `${kind.title}${unitOf(kind) ? ` (${unitOf(kind)})` : ""}`;

/** Columns by key in the units they are shown in; those that hold nothing are left out. */
export function shownColumns(
  columns: Record<string, Numbers>,
  kinds: FigureKind[],
): Record<string, Numbers> {
  const found: Record<string, Numbers> = {};
  for (const { key, shown_scale } of kinds) {
    const values = columns[key];
    if (!values?.some(v => v !== null && v !== 0)) continue;
    found[key] =
      shown_scale === 1 ? values : values.map(v => (v === null ? null : v * shown_scale));
  }
  return found;
}

/** What is a figure of a name: its key, its label, or an older one. */
export const kindNamed = (name: string, kinds: FigureKind[]) =>
  kinds.find(each => each.key === name || each.label === name || each.also.includes(name));

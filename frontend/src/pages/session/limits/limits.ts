// Limits on figures: what they would drop, how the session takes them, how a person reads them.
import type { FigureKind } from "../../../api/types";
import { kindNamed, unitOf } from "../../../figures";
import type { Limit } from "../../../plots/histogram";
import type { Sheet } from "../data";

export type Limits = Record<string, Limit>; // by key, in the units shown

export const isSet = ([low, high]: Limit) => low !== null || high !== null;
export const anySet = (limits: Limits) => Object.values(limits).some(isSet);

/** Which rows limits would drop: those accepted now whose figure is known and outside. */
export function droppedBy(sheet: Sheet, limits: Limits): Uint8Array {
  const out = new Uint8Array(sheet.names.length);
  for (const [key, limit] of Object.entries(limits)) {
    const values = sheet.columns[key];
    if (!values || !isSet(limit)) continue;
    const [low, high] = limit;
    for (let i = 0; i < out.length; i++) {
      const v = values[i];
      if (v === null || sheet.byHand[i] === "accept" || sheet.kind[i]) continue;
      if ((low !== null && v < low) || (high !== null && v > high)) out[i] = 1;
    }
  }
  return out;
}

/** A limit back in the unit of the figure. */
const inUnit = (v: number, kind: FigureKind) => Number((v / kind.shown_scale).toPrecision(6));

/** Limits as a list of a project takes them. */
export function forList(limits: Limits, kinds: FigureKind[]) {
  return Object.entries(limits)
    .filter(([, limit]) => isSet(limit))
    .map(([key, [low, high]]) => {
      const kind = kinds.find(each => each.key === key)!;
      const side = (v: number | null) => (v === null ? null : inUnit(v, kind));
      return { figure: key, low: side(low), high: side(high) };
    });
}

/** Limits in the words of the session: what stands, with those of `limits` in place of older ones on the same figure. */
export function thresholdText(limits: Limits, standing: string, kinds: FigureKind[]): string {
  const parts: string[] = [],
    replaced = new Set<string>();
  for (const [key, [low, high]] of Object.entries(limits)) {
    const kind = kinds.find(each => each.key === key);
    if (!kind) continue;
    for (const [sign, v] of [
      [">=", low],
      ["<=", high],
    ] as const) {
      if (v === null) continue;
      parts.push(`${key} ${sign} ${inUnit(v, kind)}`);
      replaced.add(`${key} ${sign}`);
    }
  }
  const kept = standing
    .split(";")
    .map(each => each.trim())
    .filter(each => {
      const [name, sign] = each.split(/\s+/);
      return each && !replaced.has(`${kindNamed(name, kinds)?.key ?? name} ${sign}`);
    });
  return [...kept, ...parts].join("; ");
}

/** Limits as a person reads them: "CTF fit ≤ 7 Å". */
export function saidThresholds(text: string, kinds: FigureKind[]): string {
  return text
    .split(";")
    .map(part => {
      const [, name, sign, value] = part.match(/^\s*(\w+)\s*(<=|>=)\s*(\S+)\s*$/) ?? [];
      const kind = name && kindNamed(name, kinds);
      if (!kind) return part.trim();
      const shown = Number((Number(value) * kind.shown_scale).toPrecision(4));
      return `${kind.title} ${sign === "<=" ? "≤" : "≥"} ${shown} ${unitOf(kind)}`.trim();
    })
    .filter(Boolean)
    .join("; ");
}

// One selection through all plots: a time, a place on the grid; which rows it holds and which are kept.
import { useMemo, useState } from "react";
import { clock, type Sheet } from "../data";

export interface Selection {
  place: { text: string; rows: number[] } | null;
  setPlace: (place: { text: string; rows: number[] } | null) => void;
  selected: Uint8Array | null; // null: everything
  shown: Uint8Array;
  words: string;
}

export function useSelection(sheet: Sheet, brush: [number, number] | null): Selection {
  const [place, setPlace] = useState<{ text: string; rows: number[] } | null>(null);
  const selected = useMemo(() => {
    if (!brush && !place) return null;
    const found = new Uint8Array(sheet.names.length);
    if (place) place.rows.forEach(i => (found[i] = 1));
    else found.fill(1);
    if (brush)
      sheet.times.forEach((t, i) => {
        if (t === null || t < brush[0] || t > brush[1]) found[i] = 0;
      });
    return found;
  }, [brush, place, sheet]);
  const shown = useMemo(
    () => selected ?? new Uint8Array(sheet.names.length).fill(1),
    [selected, sheet],
  );
  const words = [brush && `${clock(brush[0])} to ${clock(brush[1])}`, place?.text]
    .filter(Boolean)
    .join(", ");
  return { place, setPlace, selected, shown, words };
}

/** Rows that are accepted, in the selection, and inside the limits that are being drawn. */
export function keptRows(sheet: Sheet, shown: Uint8Array, dropped: Uint8Array): Uint8Array {
  return Uint8Array.from(dropped, (out, i) => (out || !shown[i] || sheet.kind[i] ? 0 : 1));
}

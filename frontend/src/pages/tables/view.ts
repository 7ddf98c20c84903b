// How a table is looked at (sort, filters, columns, plot): it stands in the address, so that a link shows the same.
import { useMemo } from "react";
import { useProject } from "../../context";
import { go, useRoute } from "../../hooks";
import { queryOf, viewOf, type View } from "./query";

export function useView(path: string, block: string): [View, (change: Partial<View>) => void] {
  const { pid } = useProject();
  const { query } = useRoute();
  const view = useMemo(() => viewOf(query), [query]);
  const change = (next: Partial<View>) =>
    go(`#/p/${pid}/tables?${queryOf({ ...view, ...next }, path, block)}`, true);
  return [view, change];
}

export type { View };

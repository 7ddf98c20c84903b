// Rows of a table in chunks, fetched as they come on screen and kept.
import { useQueries } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { get, type ApiError } from "../../api/http";
import { keyOf } from "../../api/reads";
import type { Block, Page } from "../../api/types";
import { useProject } from "../../context";
import type { View } from "./view";

export const CHUNK = 200;

export interface RowsOf {
  passing: number;
  error: string;
  cells: (row: number) => string[] | null;
  number: (row: number) => number | null; // in the file, from 0
  see: (first: number, last: number) => void;
}

export function useRows(path: string, block: Block, view: View): RowsOf {
  const { pid } = useProject();
  const [seen, setSeen] = useState<[number, number]>([0, 0]);
  const asked = {
    path,
    block: block.name,
    count: CHUNK,
    sort: view.sort,
    descending: view.descending,
    filter: view.filters,
  };
  const chunks = [...new Set([0, ...seen])];
  const found = useQueries({
    queries: chunks.map(chunk => {
      const query = { ...asked, offset: chunk * CHUNK };
      return {
        queryKey: keyOf(`p/${pid}/tables/page`, query),
        queryFn: ({ signal }: { signal: AbortSignal }) =>
          get<Page>(`p/${pid}/tables/page`, query, signal),
        staleTime: Infinity,
      };
    }),
  });
  const passing = found[0].data?.passing ?? block.rows;
  const pages = new Map(chunks.map((chunk, n) => [chunk, found[n].data]));
  const error = (found.find(each => each.error)?.error as ApiError | null)?.message ?? "";
  const see = useCallback((first: number, last: number) => {
    const next: [number, number] = [Math.floor(first / CHUNK), Math.floor(last / CHUNK)];
    setSeen(old => (old[0] === next[0] && old[1] === next[1] ? old : next));
  }, []);
  const at = (row: number) => pages.get(Math.floor(row / CHUNK));
  return useMemo(
    () => ({
      passing,
      error,
      cells: row => at(row)?.cells[row % CHUNK] ?? null,
      number: row => at(row)?.rows[row % CHUNK] ?? null,
      see,
    }),
    [passing, error, see, ...found.map(each => each.data)], // eslint-disable-line
  );
}

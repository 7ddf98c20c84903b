// Reads: kept, shared between panels, given up when nobody waits, and read again when the server names their part.
import { QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useMemo } from "react";
import { ApiError, get } from "./http";
import { partsOf, touched } from "./parts";

const AGAIN = 2; // times a read is tried again where the server was only busy

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      networkMode: "always",
      retry: (failed, error) => (error as ApiError).status === 503 && failed < AGAIN,
    },
  },
});

export interface Loaded<T> {
  data: T | null;
  error: string;
  loading: boolean;
  reload: () => void;
}

export const keyOf = (path: string, query: Record<string, unknown> = {}) => [path, query] as const;

/** Data of an address (null: nothing to load). What a part of the project tells about is read when that changes. */
export function useData<T>(path: string | null, query: Record<string, unknown> = {}): Loaded<T> {
  const key = keyOf(path ?? "", query);
  const found = useQuery<T, ApiError>({
    queryKey: key,
    queryFn: ({ signal }) => get<T>(path!, query, signal),
    enabled: path !== null,
    staleTime: path !== null && partsOf(path).length ? Infinity : 0,
  });
  const { refetch } = found;
  const data = found.data ?? null,
    error = found.error?.message ?? "",
    loading = path !== null && found.isPending;
  return useMemo(
    () => ({ data, error, loading, reload: () => void refetch() }),
    [data, error, loading, refetch],
  );
}

/** Read again what is made of the parts that changed; null: everything of the project. */
export function changed(pid: string, what: string[] | null) {
  void client.invalidateQueries({
    predicate: query => {
      const path = String(query.queryKey[0]);
      if (!path.startsWith(`p/${pid}/`)) return false;
      return what === null || touched(partsOf(path), what);
    },
  });
}

/** Read addresses again whose beginning is given. */
export function useReread(): (beginning: string) => void {
  const known = useQueryClient();
  return useCallback(
    beginning =>
      void known.invalidateQueries({
        predicate: query => String(query.queryKey[0]).startsWith(beginning),
      }),
    [known],
  );
}

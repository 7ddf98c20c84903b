// The movies of a live session: all of them once, then only those that are new or changed.
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { get, type ApiError } from "../../api/http";
import { keyOf } from "../../api/reads";
import type { LiveMovies } from "../../api/types";
import { merged } from "./merging";
import { usePending, withPending } from "./pending";

export const moviesKey = (pid: string, name: string) => keyOf(`p/${pid}/live/${name}/movies`);

export function useMovies(pid: string, name: string) {
  const client = useQueryClient();
  const key = moviesKey(pid, name);
  const found = useQuery<LiveMovies, ApiError>({
    queryKey: key,
    enabled: Boolean(name),
    staleTime: Infinity,
    structuralSharing: false,
    queryFn: async ({ signal }) => {
      const known = client.getQueryData<LiveMovies>(key);
      const fresh = await get<LiveMovies>(key[0], { since: known?.version }, signal);
      return known ? merged(known, fresh) : fresh;
    },
  });
  const pending = usePending(`${pid}/${name}`);
  const { refetch } = found,
    known = found.data,
    data = useMemo(() => (known ? withPending(known, pending) : null), [known, pending]),
    error = found.error?.message ?? "";
  return useMemo(() => ({ data, error, reload: () => refetch() }), [data, error, refetch]);
}

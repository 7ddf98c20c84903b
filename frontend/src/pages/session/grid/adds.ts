// What grid squares add to the session's map.
import { useMemo } from "react";
import type { Answers } from "../../../api/types";
import { useProject } from "../../../context";
import { useData } from "../../../hooks";
import type { Sheet } from "../data";

/** What each grid square adds to the map for each of its movies, the mean being 1; empty without a map. */
export function useAdds(sheet: Sheet, name: string): ReadonlyMap<string, number> {
  const { pid } = useProject();
  const found = useData<Answers>(sheet.live ? `p/${pid}/live/${name}/answers` : null);
  return useMemo(
    () =>
      new Map(
        (found.data?.squares ?? []).map(each => [
          each.name,
          Math.max(0, Math.round(100 * each.adds.per_movie) / 100),
        ]),
      ),
    [found.data],
  );
}

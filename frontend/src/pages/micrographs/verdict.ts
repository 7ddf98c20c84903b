// The verdict on the micrograph that is shown, where a live session knows it; R takes it back or sets it aside.
import { useMemo } from "react";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { asideBy, sheetOfLive } from "../session/data";
import { useMovies } from "../session/movies";
import { useSteps } from "../session/steps";
import { useVerdicts } from "../session/verdicts";

export interface Verdict {
  said: string; // "" for an accepted one
  word: string; // of what R does
  turn?: () => void;
  undo: () => void;
}

export function useVerdict(micrograph: string): Verdict | null {
  const { pid } = useProject();
  const sessions = useData<string[]>(`p/${pid}/live`);
  const name = sessions.data?.[0] ?? "";
  const movies = useMovies(pid, name);
  const sheet = useMemo(
    () =>
      sheetOfLive(
        movies.data ?? {
          aside: [],
          by_hand: [],
          columns: {},
          kinds: [],
          kinds_aside: [],
          names: [],
          numbers: [],
          ready_s: [],
          since: "",
          stages: [],
          taken_s: [],
          thresholds: "",
          total: 0,
          version: "",
        },
        "",
      ),
    [movies.data],
  );
  const steps = useSteps(movies.reload);
  const verdicts = useVerdicts(sheet, name, steps);
  const i = useMemo(() => sheet.names.indexOf(micrograph), [sheet, micrograph]);
  if (i < 0) return null;
  const kind = sheet.kind[i];
  return {
    said: kind ? `set aside ${asideBy(kind)}: ${sheet.why[i]}` : "",
    word: kind === "failure" ? "Try again" : kind ? "Take back" : "Set aside",
    turn: verdicts && (() => verdicts.turn(i)),
    undo: steps.undo,
  };
}

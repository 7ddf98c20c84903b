// Settings on trial: asked of the server, with what they make kept beside what there is.
import { useState } from "react";
import { post } from "../../../api/http";
import { useProject } from "../../../context";
import type { Drawn, TrialShown } from "../data";
import type { StageSettings } from "./settings";

export function useTrial(session: string) {
  const { pid } = useProject();
  const [found, setFound] = useState<TrialShown[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const [stamp, setStamp] = useState(0);
  const run = async (micrographs: number[], values: Record<string, string>) => {
    setBusy(true);
    setError("");
    try {
      setFound(await post<TrialShown[]>(`p/${pid}/live/${session}/try`, { micrographs, values }));
      setStamp(Date.now());
    } catch (reason) {
      setError((reason as Error).message);
    }
    setBusy(false);
  };
  return { found, busy, stamp, run, error };
}

export const adjustOf = (settings: StageSettings | null, values: Record<string, string> = {}) =>
  Number(values["AutoPick.log_adjust_thr"] ?? settings?.AutoPick?.options.log_adjust_thr) || 0;
/** Figure of merit a pick needs: the automatic threshold, moved as the options say. */
export const thresholdOf = (drawn: Drawn | null, adjust: number) =>
  drawn?.picks.threshold == null ? null : drawn.picks.threshold + adjust;
export const diameterOf = (settings: StageSettings | null, values: Record<string, string> = {}) =>
  Number(values["AutoPick.log_diam_max"] ?? settings?.AutoPick?.options.log_diam_max) || 150;

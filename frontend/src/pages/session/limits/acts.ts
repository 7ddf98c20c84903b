// Limits that are being drawn, what they would do, and how they come into force (or a Select job is made).
import { useEffect, useState } from "react";
import { post } from "../../../api/http";
import type { LimitsPreview } from "../../../api/types";
import { useProject } from "../../../context";
import { attempt, go, link } from "../../../hooks";
import type { Sheet } from "../data";
import { anySet, forList, thresholdText, type Limits } from "./limits";
import type { Steps } from "../steps";

const ASKED_AFTER_MS = 250;

/** What the server says the limits would do, judged as the session judges; null until it answers. */
export function usePreview(sheet: Sheet, name: string, limits: Limits): LimitsPreview | null {
  const { pid } = useProject();
  const [found, setFound] = useState<{ text: string; preview: LimitsPreview } | null>(null);
  const text =
    sheet.live && anySet(limits) ? thresholdText(limits, sheet.thresholds, sheet.kinds) : "";
  useEffect(() => {
    if (!text) return;
    let wanted = true;
    const timer = setTimeout(() => {
      post<LimitsPreview>(`p/${pid}/live/${name}/preview`, { text }).then(
        preview => wanted && setFound({ text, preview }),
        () => undefined, // what is drawn is counted here meanwhile
      );
    }, ASKED_AFTER_MS);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [pid, name, text]);
  return found && found.text === text ? found.preview : null;
}

export interface LimitActs {
  apply?: () => void;
  clearStanding?: () => void;
}

export function useLimitActs(
  sheet: Sheet,
  name: string,
  limits: Limits,
  clear: () => void,
  { act }: Steps,
): LimitActs {
  const { pid, mayChange } = useProject();
  if (!mayChange) return {};
  const set = (text: string) =>
    post(`p/${pid}/live/thresholds`, { session: name, text: text || "none" });
  const before = sheet.thresholds;
  const makeSelect = async () => {
    const made = await attempt(
      post<{ names: string[] }>(`p/${pid}/thresholds`, {
        micrographs: sheet.list,
        limits: forList(limits, sheet.kinds),
      }),
    );
    if (made) go(link(pid, "project", { job: made.names[made.names.length - 1] }));
  };
  const toSession = async () => {
    const wanted = thresholdText(limits, before, sheet.kinds);
    const undo = { text: "the limits", act: () => set(before) };
    if (await act(() => set(wanted), "the session takes the limits; U undoes", undo)) clear();
  };
  if (!sheet.live) return { apply: () => void makeSelect() };
  return {
    apply: () => void toSession(),
    clearStanding: () =>
      void act(() => set(""), "no limits; U undoes", {
        text: "taking the limits away",
        act: () => set(before),
      }),
  };
}

// Verdicts on single movies: shown at once, confirmed by the server, undone with U.
import { useCallback, useMemo } from "react";
import { post } from "../../api/http";
import { useProject } from "../../context";
import type { Sheet } from "./data";
import { showPending, WHY, type Word } from "./pending";
import type { Steps } from "./steps";

export interface Verdicts {
  accept: (i: number) => void;
  reject: (i: number) => void;
  again: (i: number) => void;
  /** What R does: takes back, sets aside, or tries again. */
  turn: (i: number) => void;
}

export function useVerdicts(sheet: Sheet, name: string, steps: Steps): Verdicts | undefined {
  const { pid, mayChange } = useProject();
  const { act, reload } = steps;
  const judge = useCallback(
    (word: Word, i: number) => {
      const n = sheet.numbers[i],
        before: Word =
          sheet.byHand[i] === "accept"
            ? "accept"
            : sheet.byHand[i] === "reject"
              ? "reject"
              : "forget";
      /** Shown now; what it answers asks the server. */
      const begin = (verdict: Word) => {
        const end = showPending(`${pid}/${name}`, n, verdict);
        const why = verdict === "reject" ? { why: WHY } : {};
        return () =>
          post(`p/${pid}/live/verdict`, { session: name, verdict, numbers: [n], ...why })
            .then(async answer => {
              await reload();
              return answer;
            })
            .finally(end);
      };
      const said = {
        accept: `movie ${n} is taken back`,
        reject: `movie ${n} is set aside; U undoes`,
        forget: `movie ${n} is judged by the limits again`,
        again: `movie ${n} is tried again`,
      }[word];
      const undo = { text: `the verdict on movie ${n}`, act: () => begin(before)() };
      void act(begin(word), said, word === "again" ? undefined : undo);
    },
    [sheet, name, pid, reload, act],
  );
  return useMemo(() => {
    if (!mayChange || !sheet.live) return undefined;
    const one = (word: Word) => (i: number) => judge(word, i);
    const turn = (i: number) =>
      judge(sheet.kind[i] === "failure" ? "again" : sheet.kind[i] ? "accept" : "reject", i);
    return { accept: one("accept"), reject: one("reject"), again: one("again"), turn };
  }, [judge, mayChange, sheet]);
}

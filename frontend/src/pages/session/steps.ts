// What a person does on the session page: step after step, each shown at once and undone with U.
import { useCallback, useRef, useState } from "react";
import { attempt, tell } from "../../hooks";

export interface Undo {
  text: string;
  act: () => Promise<unknown>;
}

const KEPT = 50; // steps that can be undone

export interface Steps {
  act: (work: () => Promise<unknown>, done: string, undo?: Undo) => Promise<unknown>;
  undo: () => void;
  reload: () => Promise<unknown>;
  last: Undo | undefined;
}

/** Steps one after another; each can be undone from the moment it is asked for, and is forgotten if it is refused. */
export function useSteps(reload: () => Promise<unknown>): Steps {
  const [undos, setUndos] = useState<Undo[]>([]);
  const busy = useRef<Promise<unknown>>(Promise.resolve());
  const act = useCallback(
    (work: () => Promise<unknown>, done: string, undo?: Undo) => {
      if (undo) setUndos(old => [...old.slice(1 - KEPT), undo]);
      const step = busy.current.then(async () => {
        const answer = await attempt(work(), done);
        if (answer === null && undo) setUndos(old => old.filter(each => each !== undo));
        void reload();
        return answer;
      });
      busy.current = step;
      return step;
    },
    [reload],
  );
  const last = undos[undos.length - 1];
  const undo = useCallback(() => {
    if (!last) {
      tell("nothing to undo");
      return;
    }
    setUndos(old => old.slice(0, -1));
    void act(last.act, `undone: ${last.text}`);
  }, [last, act]);
  return { act, undo, reload, last };
}

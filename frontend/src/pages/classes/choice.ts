// The classes somebody chose: kept as a draft on the server until a Select job is made of them.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { put, remove } from "../../api/http";
import { useProject } from "../../context";
import { useData, useReread } from "../../hooks";

const DRAFT_MS = 400; // a draft is kept this long after the last change
const NONE: number[] = [];

export interface ClassChoice {
  chosen: Set<number>;
  set: (numbers: Iterable<number>) => void;
  unsaved: boolean;
  since: string; // when a draft was kept that came back
  discard: () => void;
  made: () => void; // a Select job was made of it
}

/** `model`: whose draft it is; `into`: a Select job whose choice is changed. */
export function useChoice(model: string, job: string, into: string): ClassChoice {
  const { pid } = useProject();
  const path = `p/${pid}/drafts/classes`;
  const draft = useData<{ draft: { classes: number[] } | null; saved: string }>(
    model ? path : null,
    { model },
  );
  const stored = useData<{ classes: number[] }>(into ? `p/${pid}/classes/selection` : null, {
    job: into,
  });
  const reread = useReread();
  const [mine, setMine] = useState<{ job: string; numbers: number[]; saved: boolean } | null>(null);
  const current = mine?.job === job ? mine : null;
  const kept = draft.data?.draft?.classes;
  const numbers = current?.numbers ?? kept ?? stored.data?.classes ?? NONE;
  const chosen = useMemo(() => new Set(numbers), [numbers]);
  const timer = useRef(0);
  const waiting = useRef<(() => void) | null>(null);
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      waiting.current?.();
    },
    [job],
  );
  const set = useCallback(
    (next: Iterable<number>) => {
      const classes = [...next].sort((a, b) => a - b);
      setMine({ job, numbers: classes, saved: false });
      clearTimeout(timer.current);
      const send = () => {
        waiting.current = null;
        // the server may be away: the choice is still on this page
        void put(path, { model, classes }).catch(() => undefined);
      };
      waiting.current = send;
      timer.current = window.setTimeout(send, DRAFT_MS);
    },
    [path, model, job],
  );
  const forget = useCallback(() => {
    clearTimeout(timer.current);
    waiting.current = null;
  }, []);
  return {
    chosen,
    set,
    unsaved: current ? !current.saved && numbers.length > 0 : Boolean(kept?.length),
    since: current ? "" : (draft.data?.draft && draft.data.saved) || "",
    discard: () => {
      forget();
      void remove(path, { model }).then(() => {
        setMine(null);
        reread(path);
      });
    },
    made: () => {
      forget();
      setMine(old => old && { ...old, saved: true });
      reread(path);
    },
  };
}

// The picks of a micrograph as they are edited: undone step by step, kept as a draft on the server until they are saved.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { put, remove } from "../../api/http";
import { useData, useReread } from "../../hooks";
import type { Picks } from "../../api/types";

export interface Point {
  x: number;
  y: number;
  fom: number | null;
}
interface Draft {
  draft: { x: number[]; y: number[] } | null;
  saved: string;
}
const KEPT = 100, // steps that can be undone
  DRAFT_MS = 400; // a draft is kept this long after the last change

export interface PickState {
  points: Point[];
  dirty: boolean;
  since: string; // when a draft was kept that came back
  change: (next: Point[]) => void;
  undo: () => void;
  mayUndo: boolean;
  latest: React.RefObject<Point[]>;
  saved: () => void; // after saving: nothing is unsaved
  discard: () => void;
  forget: () => void; // what was done on this page
}

interface Mine {
  of: string;
  points: Point[];
  past: Point[][];
  clean?: boolean; // saved since the last change
}

const pointsOf = (p: Picks): Point[] =>
  p.x.map((x, i) => ({ x, y: p.y[i], fom: p.fom?.[i] ?? null }));

/** `job`: of which unsaved picks are kept; "" where nothing may be edited. */
export function usePicks(
  pid: string,
  micrograph: string,
  picks: Picks | null,
  job: string,
): PickState {
  const path = `p/${pid}/drafts/picks`;
  const draft = useData<Draft>(job && micrograph ? path : null, { job, micrograph });
  const reread = useReread();
  const of = `${job}/${micrograph}`;
  const stored = useMemo(() => {
    if (!picks) return { of, points: [], dirty: false };
    const kept = job ? draft.data?.draft : null;
    return kept
      ? { of, points: kept.x.map((x, i) => ({ x, y: kept.y[i], fom: null })), dirty: true }
      : { of, points: pointsOf(picks), dirty: false };
  }, [of, picks, draft.data, job]);
  const [mine, setMine] = useState<Mine | null>(null);
  const current = mine && mine.of === of ? mine : null;
  const points = current?.points ?? stored.points;
  const latest = useRef(points);
  useEffect(() => {
    latest.current = points;
  });
  const timer = useRef(0);
  const waiting = useRef<(() => Promise<unknown>) | null>(null);
  const keep = useCallback(
    (next: Point[]) => {
      if (!job) return;
      clearTimeout(timer.current);
      const send = () => {
        waiting.current = null;
        return put(path, { job, micrograph, x: next.map(p => p.x), y: next.map(p => p.y) }).catch(
          () => undefined, // the server is away: the picks are still on this page
        );
      };
      waiting.current = send;
      timer.current = window.setTimeout(() => void send(), DRAFT_MS);
    },
    [path, job, micrograph],
  );
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      void waiting.current?.();
    },
    [of],
  );
  const change = useCallback(
    (next: Point[]) => {
      const before = latest.current;
      latest.current = next;
      setMine(old => {
        const past = old && old.of === of ? old.past : [];
        return { of, points: next, past: [...past.slice(1 - KEPT), before] };
      });
      keep(next);
    },
    [of, keep],
  );
  const undo = useCallback(() => {
    if (!current?.past.length) return;
    const back = current.past[current.past.length - 1];
    latest.current = back;
    setMine({ of, points: back, past: current.past.slice(0, -1) });
    keep(back);
  }, [current, of, keep]);
  const saved = useCallback(() => {
    clearTimeout(timer.current);
    waiting.current = null;
    setMine(old => old && { ...old, clean: true });
    reread(path);
    reread(`p/${pid}/micrographs/picks`);
  }, [reread, path, pid]);
  const discard = useCallback(() => {
    clearTimeout(timer.current);
    waiting.current = null;
    void remove(path, { job, micrograph }).then(() => {
      setMine(null);
      reread(path);
    });
  }, [path, job, micrograph, reread]);
  return {
    points,
    dirty: current ? !current.clean : stored.dirty,
    since: !current && stored.dirty ? (draft.data?.saved ?? "") : "",
    change,
    undo,
    mayUndo: Boolean(current?.past.length),
    latest,
    saved,
    discard,
    forget: useCallback(() => setMine(null), []),
  };
}

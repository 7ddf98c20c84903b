// Verdicts that were given on this page and are on their way: shown at once, over what the server last said.
import { useSyncExternalStore } from "react";
import type { LiveMovies } from "../../api/types";

export type Word = "accept" | "reject" | "forget" | "again";
export const WHY = "set aside on the session page";
type Pending = ReadonlyMap<number, { word: Word; id: number }>; // by the number of the movie

const NONE: Pending = new Map();
const known = new Map<string, Pending>(); // by session
const listeners = new Set<() => void>();
let counter = 0;

function set(of: string, change: (pending: Map<number, { word: Word; id: number }>) => void) {
  const next = new Map(known.get(of) ?? NONE);
  change(next);
  known.set(of, next);
  listeners.forEach(each => each());
}

/** Shows a verdict from now on. Answers what ends that, when the server has confirmed or refused it. */
export function showPending(of: string, number: number, word: Word): () => void {
  const id = ++counter;
  set(of, pending => pending.set(number, { word, id }));
  return () =>
    set(of, pending => {
      if (pending.get(number)?.id === id) pending.delete(number); // not a later one
    });
}

export function usePending(of: string): Pending {
  return useSyncExternalStore(
    add => {
      listeners.add(add);
      return () => listeners.delete(add);
    },
    () => known.get(of) ?? NONE,
  );
}

/** Movies as they will be when the verdicts have arrived. */
export function withPending(movies: LiveMovies, pending: Pending): LiveMovies {
  if (!pending.size) return movies;
  const by_hand = [...movies.by_hand],
    kinds_aside = [...movies.kinds_aside],
    aside = [...movies.aside];
  for (const [number, { word }] of pending) {
    const i = number - 1;
    if (i >= by_hand.length) continue;
    by_hand[i] = word === "accept" || word === "reject" ? word : "";
    kinds_aside[i] = word === "reject" ? "manual" : "";
    aside[i] = word === "reject" ? WHY : "";
  }
  return { ...movies, by_hand, kinds_aside, aside };
}

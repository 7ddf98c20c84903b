// Messages in the corner: what was done, and what went wrong, which stays until it is dealt with.
import { useSyncExternalStore } from "react";

export interface Message {
  id: number;
  text: string;
  bad: boolean;
}
const SHOWN_MS = 4000;
let messages: Message[] = [];
const messageListeners = new Set<() => void>();
let counter = 0;

export function tell(text: string, bad = false) {
  const id = ++counter;
  messages = [...messages.filter(each => each.text !== text).slice(-3), { id, text, bad }];
  messageListeners.forEach(each => each());
  if (!bad) setTimeout(() => dismiss(id), SHOWN_MS); // what went wrong stays until somebody has read it
}

export function dismiss(id: number) {
  messages = messages.filter(each => each.id !== id);
  messageListeners.forEach(each => each());
}

export function useMessages(): Message[] {
  return useSyncExternalStore(
    add => {
      messageListeners.add(add);
      return () => messageListeners.delete(add);
    },
    () => messages,
  );
}

/** Do something and say what went wrong if it did. */
export async function attempt<T>(work: Promise<T>, done = ""): Promise<T | null> {
  try {
    const result = await work;
    if (done) tell(done);
    return result;
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error), true);
    return null;
  }
}

// State shared by pages: the address, data that is loaded again when the project changes, messages.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { ApiError, get, socketAddress } from "./api";
import type { Log } from "./types";

export interface Route {
  pid: string;
  page: string;
  query: URLSearchParams;
}

function parse(): Route {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/");
  return {
    pid: parts[0] === "p" ? (parts[1] ?? "") : "",
    page: parts[2] ?? "project",
    query: new URLSearchParams(query),
  };
}

let route = parse();
const routeListeners = new Set<() => void>();
window.addEventListener("hashchange", () => {
  route = parse();
  routeListeners.forEach(each => each());
});

export function useRoute(): Route {
  return useSyncExternalStore(
    add => {
      routeListeners.add(add);
      return () => routeListeners.delete(add);
    },
    () => route,
  );
}

export function link(pid: string, page: string, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== ""),
  ).toString();
  return `#/p/${pid}/${page}${text ? `?${text}` : ""}`;
}

export function go(address: string, replace = false) {
  if (replace) {
    history.replaceState(null, "", address);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else location.hash = address;
}

export interface Loaded<T> {
  data: T | null;
  error: string;
  loading: boolean;
  reload: () => void;
}

/** Data of an address (null: nothing to load); `version` loads it again, the old stays on screen meanwhile. */
export function useData<T>(
  path: string | null,
  query: Record<string, unknown> = {},
  version = 0,
): Loaded<T> {
  const [state, setState] = useState<{ key: string; data: T | null; error: string }>({
    key: "",
    data: null,
    error: "",
  });
  const [again, setAgain] = useState(0);
  const key = path === null ? "" : path + JSON.stringify(query);
  useEffect(() => {
    if (path === null) return;
    let wanted = true;
    get<T>(path, query).then(
      data => wanted && setState({ key, data, error: "" }),
      (error: ApiError) =>
        wanted &&
        setState(old => ({ key, data: old.key === key ? old.data : null, error: error.message })),
    );
    return () => {
      wanted = false;
    };
  }, [key, version, again]); // eslint-disable-line
  const fresh = state.key === key;
  return {
    data: fresh ? state.data : null,
    error: fresh ? state.error : "",
    loading: path !== null && !fresh,
    reload: useCallback(() => setAgain(n => n + 1), []),
  };
}

export interface Watching {
  version: number;
  log: (Log & { path: string }) | null;
  follow: (job: string, which: string) => void;
  connected: boolean;
}

/** The websocket of a project: counts changes, carries the log that is followed, reconnects by itself. */
export function useWatch(pid: string): Watching {
  const [version, setVersion] = useState(0);
  const [log, setLog] = useState<(Log & { path: string }) | null>(null);
  const [connected, setConnected] = useState(true);
  const socket = useRef<WebSocket | null>(null);
  const wanted = useRef({ job: "", which: "out" });
  useEffect(() => {
    if (!pid) return;
    let closed = false,
      pause = 500,
      timer = 0;
    const open = () => {
      const made = new WebSocket(socketAddress(`p/${pid}/watch`));
      socket.current = made;
      made.onopen = () => {
        pause = 500;
        setConnected(true);
        if (wanted.current.job) made.send(JSON.stringify(wanted.current));
      };
      made.onmessage = event => {
        const message = JSON.parse(event.data);
        if (message.kind === "changed") setVersion(n => n + 1);
        else if (message.kind === "log") setLog(message);
      };
      made.onclose = () => {
        if (closed) return;
        setConnected(false);
        timer = window.setTimeout(() => {
          setVersion(n => n + 1);
          open();
        }, pause);
        pause = Math.min(pause * 2, 10000);
      };
    };
    open();
    return () => {
      closed = true;
      clearTimeout(timer);
      socket.current?.close();
    };
  }, [pid]);
  const follow = useCallback((job: string, which: string) => {
    wanted.current = { job, which };
    setLog(null);
    if (socket.current?.readyState === WebSocket.OPEN)
      socket.current.send(JSON.stringify(wanted.current));
  }, []);
  return { version, log, follow, connected };
}

export interface Message {
  id: number;
  text: string;
  bad: boolean;
}
let messages: Message[] = [];
const messageListeners = new Set<() => void>();
let counter = 0;

export function tell(text: string, bad = false) {
  const id = ++counter;
  messages = [...messages.slice(-3), { id, text, bad }];
  messageListeners.forEach(each => each());
  setTimeout(() => dismiss(id), bad ? 12000 : 4000);
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

/** Keys while the page is shown: "alt+r", "ctrl+s", "ArrowRight", "v". Plain keys are not taken from fields. */
export function useKeys(keys: Record<string, (() => void) | undefined>) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const typing =
        /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) &&
        (target as HTMLInputElement).type !== "range";
      const name =
        event.code.startsWith("Key") && (event.altKey || event.ctrlKey || event.metaKey)
          ? event.code.slice(3).toLowerCase()
          : event.key;
      const key = `${event.altKey ? "alt+" : ""}${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${name}`;
      if (event.defaultPrevented || document.querySelector("dialog[open]")) return; // a dialog has its own keys
      if (typing && !event.altKey && !event.ctrlKey && !event.metaKey && key !== "Escape") return;
      const act = latest.current[key];
      if (act) {
        event.preventDefault();
        act();
      }
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

export function usePersisted<T>(name: string, initial: T): [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => {
    try {
      return JSON.parse(localStorage.getItem(`verglas.${name}`) ?? "") as T;
    } catch {
      return initial;
    }
  });
  return [
    value,
    (next: T) => {
      setValue(next);
      try {
        localStorage.setItem(`verglas.${name}`, JSON.stringify(next));
      } catch {
        /* private mode */
      }
    },
  ];
}

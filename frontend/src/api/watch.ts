// The websocket of a project: says what changed, carries the log that is followed, connects again by itself.
import { useCallback, useEffect, useRef, useState } from "react";
import { socketAddress } from "./http";
import { changed } from "./reads";
import type { Log } from "./types";

const FIRST_PAUSE_MS = 500,
  LONGEST_PAUSE_MS = 10000,
  PROGRESS_MS = 2000, // a job that writes all the time is looked at this often
  TAKEN_BACK = 4401;

export type WatchedLog = Log & { path: string };
export interface Watching {
  log: WatchedLog | null;
  follow: (job: string, which: string) => void;
  connected: boolean;
  over: boolean; // the link was taken back or has expired
}

/** Passes on what changed; "progress" alone not more often than every PROGRESS_MS. */
function teller(pid: string) {
  let timer = 0,
    last = 0;
  const waiting = new Set<string>();
  const send = () => {
    timer = 0;
    last = Date.now();
    changed(pid, [...waiting]);
    waiting.clear();
  };
  return {
    tell(what: string[]) {
      what.forEach(each => waiting.add(each));
      if (timer) clearTimeout(timer);
      const quick = [...waiting].some(each => each !== "progress");
      timer = window.setTimeout(send, quick ? 0 : Math.max(0, PROGRESS_MS - (Date.now() - last)));
    },
    end: () => clearTimeout(timer),
  };
}

export function useWatch(pid: string): Watching {
  const [log, setLog] = useState<WatchedLog | null>(null);
  const [state, setState] = useState<"on" | "off" | "over">("on");
  const socket = useRef<WebSocket | null>(null);
  const wanted = useRef({ job: "", which: "out" });
  useEffect(() => {
    let closed = false,
      pause = FIRST_PAUSE_MS,
      timer = 0,
      lost = false;
    const told = teller(pid);
    const open = () => {
      const made = new WebSocket(socketAddress(`p/${pid}/watch`));
      socket.current = made;
      made.onopen = () => {
        pause = FIRST_PAUSE_MS;
        setState("on");
        if (lost) changed(pid, null);
        lost = false;
        if (wanted.current.job) made.send(JSON.stringify(wanted.current));
      };
      made.onmessage = event => {
        const message = JSON.parse(event.data);
        if (message.kind === "changed") told.tell(message.what);
        else if (message.kind === "log") setLog(message);
      };
      made.onclose = event => {
        if (closed) return;
        lost = true;
        setState(event.code === TAKEN_BACK ? "over" : "off");
        if (event.code === TAKEN_BACK) return;
        timer = window.setTimeout(open, pause);
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      };
    };
    open();
    return () => {
      closed = true;
      clearTimeout(timer);
      told.end();
      socket.current?.close();
    };
  }, [pid]);
  const follow = useCallback((job: string, which: string) => {
    wanted.current = { job, which };
    setLog(null);
    if (socket.current?.readyState === WebSocket.OPEN)
      socket.current.send(JSON.stringify(wanted.current));
  }, []);
  return { log, follow, connected: state === "on", over: state === "over" };
}

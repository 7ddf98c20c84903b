// When somebody looked at this page last: what came since is "the night".
import { useEffect, useState } from "react";

export const AWAY_S = 300;

/** When the page was looked at last before this look; it is noted while the page is seen, so sleep and hidden tabs count as away. */
export function useLastLook(pid: string): number {
  const key = `verglas.looked.${pid}`,
    tab = `verglas.away.${pid}`;
  const [last, setLast] = useState(
    () => Number(sessionStorage.getItem(tab)) || Number(localStorage.getItem(key)) || 0,
  );
  useEffect(() => {
    let noted = Date.now() / 1000;
    const keep = (store: Storage, name: string, value: number) => {
      try {
        store.setItem(name, String(value));
      } catch {
        /* private mode */
      }
    };
    const note = () => {
      if (document.hidden) return;
      const now = Date.now() / 1000;
      if (now - noted > AWAY_S) {
        setLast(noted);
        keep(sessionStorage, tab, noted);
      }
      noted = now;
      keep(localStorage, key, now);
    };
    keep(sessionStorage, tab, last); // a reload shows the same night again
    note();
    const timer = setInterval(note, 30000);
    document.addEventListener("visibilitychange", note);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", note);
    };
  }, [key]); // eslint-disable-line
  return last;
}

// Keys of a page; a dialog and fields have their own.
import { useEffect, useRef } from "react";

/** Keys while the page is shown: "alt+r", "ctrl+s", "ArrowRight", "v". Plain keys are not taken from fields. */
export function useKeys(keys: Record<string, (() => void) | undefined>) {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
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
      if (event.defaultPrevented || document.querySelector("[role=dialog], [role=menu]")) return; // a dialog has its own keys
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

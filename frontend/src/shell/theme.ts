// Light or dark: as the system says, or as a person chose. Canvases take their colours from here, not from themselves.
import { useSyncExternalStore } from "react";

export type Choice = "system" | "light" | "dark";
const KEY = "verglas.theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

const NAMES = [
  "ink",
  "soft",
  "line",
  "edge",
  "paper",
  "ground",
  "blue",
  "track",
  "pale",
  "grid",
  "out",
  "chart-1",
  "chart-2",
  "chart-3",
  "chart-4",
  "chart-5",
  "chart-6",
] as const;
export type Palette = Record<(typeof NAMES)[number], string> & { dark: boolean; series: string[] };

function stored(): Choice {
  try {
    const found = localStorage.getItem(KEY);
    return found === "light" || found === "dark" ? found : "system";
  } catch {
    return "system"; // private mode
  }
}

let choice = stored();
let palette: Palette | null = null;

function apply() {
  const dark = choice === "dark" || (choice === "system" && system.matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  palette = null;
  listeners.forEach(each => each());
}

export function choose(next: Choice) {
  choice = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    /* private mode */
  }
  apply();
}

/** Colours of the theme as they are now; the same object until the theme changes. */
export function colours(): Palette {
  if (palette) return palette;
  const style = getComputedStyle(document.documentElement);
  const found = Object.fromEntries(
    NAMES.map(name => [name, style.getPropertyValue(`--${name}`).trim()]),
  ) as Record<(typeof NAMES)[number], string>;
  palette = {
    ...found,
    dark: document.documentElement.dataset.theme === "dark",
    series: [1, 2, 3, 4, 5, 6].map(n => found[`chart-${n}` as "chart-1"]),
  };
  return palette;
}

function listen(add: () => void) {
  listeners.add(add);
  return () => listeners.delete(add);
}

export const useColours = () => useSyncExternalStore(listen, colours);
export const useThemeChoice = () => useSyncExternalStore(listen, () => choice);

system.addEventListener("change", apply);
apply();

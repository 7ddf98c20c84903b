// The address: which project, which page, what is asked of it; links keep the state of a page.
import { useSyncExternalStore } from "react";

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

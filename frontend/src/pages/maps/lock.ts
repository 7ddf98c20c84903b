// Maps that are turned together: what one viewer shows, the others show too.

interface Viewer {
  getView: () => number[];
  setView: (view: number[], alone?: boolean) => unknown;
  setViewChangeCallback: (told: (view: number[]) => void) => void;
}
const together = new Set<Viewer>();
let telling = false;

/** From now on this viewer turns with the others. Answers what ends that. */
export function join(viewer: Viewer): () => void {
  const first = together.values().next().value;
  together.add(viewer);
  viewer.setViewChangeCallback(view => {
    if (telling) return;
    telling = true;
    for (const each of together) if (each !== viewer) each.setView(view, true);
    telling = false;
  });
  if (first) viewer.setView(first.getView(), true);
  return () => {
    together.delete(viewer);
    viewer.setViewChangeCallback(() => undefined);
  };
}

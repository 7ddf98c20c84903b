// Which files a field of a form is for.

/** Endings of a pattern as RELION writes them: "Gain (*.{mrc,tif})", "STAR Files (*_optimiser.star)"; none for "*.*". */
export function endings(pattern: string): string[] {
  const inside = /\(([^)]*)\)/.exec(pattern)?.[1] ?? "";
  const braces = /^(.*)\{([^}]*)\}(.*)$/.exec(inside);
  const all = braces ? braces[2].split(",").map(each => braces[1] + each + braces[3]) : [inside];
  return all
    .filter(each => each.startsWith("*") && each !== "*.*")
    .map(each => each.slice(1))
    .filter(each => !each.includes("*"));
}

/** The directory above, with its slash; "" for the project's own. */
export function above(folder: string): string {
  const parts = folder.replace(/\/$/, "").split("/");
  const up = parts.slice(0, -1).join("/");
  return up ? `${up}/` : "";
}

// Which reads change with which part of a project, in the words of the websocket's `changed.what`.

/** Address below p/ID -> the parts it is made of; "$1" is the session's name. None: read again whenever it is shown. */
const RULES: [RegExp, string[]][] = [
  [/^(types|figures)(\/|$)/, ["-"]],
  [/^jobs$/, ["jobs", "progress", "schedules"]],
  [/^jobs\//, ["jobs", "progress"]],
  [/^autorun/, ["schedules"]],
  [/^(events|notes)$/, ["events", "jobs"]],
  [/^drafts/, ["drafts"]],
  [/^live$/, ["jobs", "live/*"]],
  [/^live\/profiles$/, ["live/*"]],
  [/^live\/([^/]+)\/movies$/, ["movies/$1"]],
  [/^live\/([^/]+)\/(grid|shown)$/, ["movies/$1"]],
  [/^live\/([^/]+)\/health$/, ["live/$1", "movies/$1", "jobs"]],
  [/^live\/([^/]+)/, ["live/$1", "jobs"]],
  [/^overview$/, ["jobs", "progress", "live/*", "movies/*"]],
  [/^micrographs/, ["jobs", "progress", "movies/*"]],
  [/^(nodes|classes|maps|tables)(\/|$)/, ["jobs", "progress", "movies/*"]],
];

/** The parts an address is made of; empty for what no part tells. */
export function partsOf(path: string): string[] {
  const inside = /^p\/[^/]+\/(.*)$/.exec(path)?.[1];
  if (inside === undefined) return [];
  for (const [pattern, parts] of RULES) {
    const found = pattern.exec(inside);
    if (found) return parts.map(each => each.replace("$1", found[1] ?? ""));
  }
  return [];
}

/** Whether what is made of `parts` changes with `what`. */
export function touched(parts: string[], what: string[]): boolean {
  return parts.some(part =>
    part.endsWith("/*")
      ? what.some(each => each.startsWith(part.slice(0, -1)))
      : what.includes(part),
  );
}

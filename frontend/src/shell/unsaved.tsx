// What somebody has not saved, wherever it is: picks and choices of classes, each a click away.
import type { Draft } from "../api/types";
import { useProject } from "../context";
import { go, link, useData } from "../hooks";
import { Menu } from "../ui/menu";
import { baseName } from "../ui/words";

export function Unsaved() {
  const { pid } = useProject();
  const drafts = useData<Draft[]>(`p/${pid}/drafts`).data ?? [];
  if (!drafts.length) return null;
  const open = (each: Draft) =>
    each.kind === "picks"
      ? link(pid, "micrographs", { name: each.of })
      : link(pid, "classes", { model: each.of });
  return (
    <Menu
      className="plain drafts-badge"
      title={`${drafts.length} unsaved`}
      label={`${drafts.length} unsaved`}
      entries={drafts.map(each => ({
        text: `${each.count} ${each.kind} of ${baseName(each.of)}`,
        key: new Date(each.saved).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }),
        act: () => go(open(each)),
      }))}
    />
  );
}

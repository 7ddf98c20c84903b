// Editing picks by hand: in a job that is for it, or in a copy that is made first.
import { useCallback, useState } from "react";
import { get, post, put } from "../../api/http";
import type { PickSource } from "../../api/types";
import { useProject } from "../../context";
import { attempt, tell, useReread } from "../../hooks";
import { count } from "../../ui/words";
import type { PickState } from "./picks";

const TRIES = 40,
  PAUSE_MS = 500;

/** The node of a new job's picks, as soon as the graph knows it. */
async function nodeOf(pid: string, job: string): Promise<string> {
  for (let tries = 0; tries < TRIES; tries++) {
    const now = await get<{ picks: PickSource[] }>(`p/${pid}/micrographs`);
    const found = now.picks.find(each => each.job === job);
    if (found) return found.node;
    await new Promise(done => setTimeout(done, PAUSE_MS));
  }
  return `${job.replace(/\/$/, "")}/coords_suffix_manualpick.star`;
}

export function useEditing(
  given: {
    list: string;
    name: string;
    source: string;
    diameter: number;
    minimum: number | null;
    from: PickSource | undefined;
    show: (query: Record<string, string>) => void;
  },
  picks: PickState,
) {
  const { pid, mayChange } = useProject();
  const { from, name, list, source, show, diameter, minimum } = given;
  const [editing, setEditing] = useState(false);
  const reread = useReread();
  const { latest, saved, dirty } = picks;
  const save = useCallback(async () => {
    if (!from?.editable) return true;
    const [folder, job] = from.job.split("/"),
      all = latest.current;
    const done = await attempt(
      put(`p/${pid}/micrographs/picks/${folder}/${job}`, {
        micrograph: name,
        x: all.map(p => p.x),
        y: all.map(p => p.y),
      }),
      `${all.length} picks saved`,
    );
    if (done) saved();
    return Boolean(done);
  }, [from, name, pid, latest, saved]);
  const copy = async () => {
    const made = await attempt(
      post<{ name: string; copied: number }>(`p/${pid}/micrographs/manualpick`, {
        list,
        start_from: source,
        diameter_angst: diameter,
        min_fom: minimum,
      }),
    );
    if (!made) return;
    tell(`${made.name}: ${count(made.copied)} picks to begin with`);
    const node = await nodeOf(pid, made.name);
    reread(`p/${pid}/micrographs`);
    show({ picks: node });
    setEditing(true);
  };
  const edit = async () => {
    if (!mayChange) return;
    if (editing) {
      if (!dirty || (await save())) setEditing(false);
    } else if (from?.editable) setEditing(true);
    else await copy();
  };
  const finish = async () => {
    if (!from || (dirty && !(await save()))) return;
    const [folder, job] = from.job.split("/");
    const done = await attempt(
      post(`p/${pid}/micrographs/picks/${folder}/${job}/finish`),
      `${from.shown} is up to date for extraction`,
    );
    if (done) setEditing(false);
  };
  return { editing, setEditing, save, edit, finish };
}
export type Editing = ReturnType<typeof useEditing>;

// Class gallery: sort, choose, walk through iterations, look at members, make a Select job.
import { useEffect, useMemo, useRef, useState } from "react";
import { post } from "../../api/http";
import type { ClassRow, Gallery } from "../../api/types";
import { useProject } from "../../context";
import { attempt, go, link, useData, useKeys, usePersisted, useRoute } from "../../hooks";
import { download } from "../../plots/files";
import { Empty, Loading, Problem } from "../../ui/parts";
import { count } from "../../ui/words";
import { useChoice, type ClassChoice } from "./choice";
import "./classes.css";
import { Members } from "./members";
import { between, ordered, type Sort } from "./order";
import { averageOf, ClassTile, type TileActs } from "./tile";
import { Toolbar, type LookOf } from "./toolbar";

export function ClassesPage() {
  const { pid } = useProject();
  const { query } = useRoute();
  const models = useData<{ models: string[] }>(`p/${pid}/classes`);
  const model = query.get("model") || models.data?.models[0] || "";
  const shown = useData<Gallery>(model ? `p/${pid}/classes/gallery` : null, { model });
  const [kept, setKept] = useState<Gallery | null>(null); // on screen while the next iteration is read
  if (shown.data && shown.data !== kept) setKept(shown.data);
  const gallery = shown.data ?? (kept && kept.models.includes(model) ? kept : null);
  if (models.error && !models.data) return <Problem text={models.error} retry={models.reload} />;
  if (!models.data) return <Loading what="classes" />;
  if (!model)
    return (
      <Empty title="No classes yet.">
        A 2D classification shows its classes here from its first iteration on.
      </Empty>
    );
  if (shown.error && !gallery) return <Problem text={shown.error} retry={shown.reload} />;
  if (!gallery) return <Loading what="classes" />;
  return <Shown model={model} models={models.data.models} gallery={gallery} />;
}

function useLook(): LookOf {
  const [sort, setSort] = usePersisted<Sort>("classes.sort", "share");
  const [reverse, setReverse] = useState(false);
  const [side, setSide] = usePersisted("classes.side", 128);
  const [empty, setEmpty] = usePersisted("classes.empty", true);
  return { sort, setSort, reverse, setReverse, side, setSide, empty, setEmpty };
}

/** Makes the Select job, and hands its averages to the form of Auto-picking if they are to be templates. */
function useSelect(model: string, choice: ClassChoice, into: string) {
  const { pid, mayChange } = useProject();
  return async (thenTemplates = false) => {
    const { chosen } = choice;
    if (!chosen.size || !mayChange) return;
    const made = await attempt(
      post<{ name: string }>(`p/${pid}/classes/select`, { model, classes: [...chosen], job: into }),
      `a Select job with ${chosen.size} classes is running`,
    );
    if (!made) return;
    choice.made();
    if (!thenTemplates) {
      go(link(pid, "project", { job: made.name }));
      return;
    }
    const values = {
      fn_refs_autopick: `${made.name}class_averages.star`,
      do_log: "No",
      do_refs: "Yes",
    };
    sessionStorage.setItem("verglas.prefill", JSON.stringify({ type: "AutoPick", values }));
    go(link(pid, "project", { type: "AutoPick" }));
  };
}

function Shown({ model, models, gallery }: { model: string; models: string[]; gallery: Gallery }) {
  const { pid } = useProject();
  const { query } = useRoute();
  const into = query.get("select") ?? "";
  const look = useLook();
  const [last, setLast] = useState<number | null>(null);
  const [members, setMembers] = useState<ClassRow | null>(null);
  const choice = useChoice(model, gallery.job, into);
  const { chosen, set } = choice;
  const select = useSelect(model, choice, into);
  const { sort, reverse, empty } = look;
  const rows = useMemo(
    () => ordered(gallery.classes, sort, reverse, empty),
    [gallery, sort, reverse, empty],
  );
  const all = useMemo(() => rows.map(row => row.number), [rows]);
  const iteration = gallery.models.indexOf(model);
  const toIteration = (n: number) => {
    const next = gallery.models[n];
    if (next) go(link(pid, "classes", { model: next, select: into }), true);
  };
  const above = (n: number) => set([...chosen, ...all.slice(0, all.indexOf(n) + 1)]);
  const below = (n: number) => set([...chosen, ...all.slice(all.indexOf(n))]);
  const latest = useRef<TileActs>(null!);
  useEffect(() => {
    latest.current = {
      click: (n, shift) => {
        const next = new Set(chosen);
        if (shift && last !== null) between(all, last, n).forEach(each => next.add(each));
        else if (!next.delete(n)) next.add(n);
        set(next);
        setLast(n);
      },
      members: row => setMembers(row),
      above,
      below,
      save: row =>
        void averageOf(pid, gallery, row).then(
          blob => blob && download(`class${String(row.number).padStart(3, "0")}.png`, blob),
        ),
    };
  });
  const acts = useMemo(
    (): TileActs => ({
      click: (n, shift) => latest.current.click(n, shift),
      members: row => latest.current.members(row),
      above: n => latest.current.above(n),
      below: n => latest.current.below(n),
      save: row => latest.current.save(row),
    }),
    [],
  );
  const invert = () => set(all.filter(n => !chosen.has(n)));
  useKeys({
    ArrowRight: () => toIteration(iteration + 1),
    ArrowLeft: () => toIteration(iteration - 1),
    i: invert,
    a: () => set(all),
    c: () => set([]),
    Enter: () => void select(),
    t: () => void select(true),
    m: () => setMembers(rows.find(each => each.number === last) ?? null),
  });
  return (
    <div className="classes">
      <Toolbar {...{ pid, model, models, gallery, iteration, toIteration, look }}>
        <button onClick={invert} title="I">
          Invert
        </button>
        <button onClick={() => set(all)} title="A">
          All
        </button>
        <button onClick={() => set([])} title="C">
          Clear
        </button>
        <button disabled={last === null} onClick={() => above(last!)}>
          All above
        </button>
        <button disabled={last === null} onClick={() => below(last!)}>
          All below
        </button>
      </Toolbar>
      {gallery.dimensions === 3 ? (
        <Empty title="These classes are maps.">
          <a href={link(pid, "maps", { model, view: "classes" })}>Look at them side by side</a>
        </Empty>
      ) : (
        <div className="gallery" role="listbox" aria-multiselectable aria-label="class averages">
          {rows.map(row => (
            <ClassTile
              key={row.number}
              row={row}
              gallery={gallery}
              pid={pid}
              side={look.side}
              chosen={chosen.has(row.number)}
              marked={last === row.number}
              acts={acts}
            />
          ))}
        </div>
      )}
      <Choice rows={gallery.classes} choice={choice} into={into} select={select} />
      {members && (
        <Members pid={pid} gallery={gallery} row={members} close={() => setMembers(null)} />
      )}
    </div>
  );
}

function Choice({
  rows,
  choice,
  into,
  select,
}: {
  rows: ClassRow[];
  choice: ClassChoice;
  into: string;
  select: (thenTemplates?: boolean) => Promise<void>;
}) {
  const { mayChange } = useProject();
  const { chosen } = choice;
  const sum = (some: ClassRow[]) => some.reduce((all, row) => all + (row.particles ?? 0), 0);
  const total = sum(rows),
    particles = sum(rows.filter(row => chosen.has(row.number)));
  return (
    <footer className="choice">
      <span data-testid="choice">
        <b>{chosen.size}</b> of {rows.length} classes
        {total > 0 && (
          <>
            , <b>{count(particles)}</b> of {count(total)} particles (
            {((100 * particles) / total).toFixed(1)} %)
          </>
        )}
      </span>
      {choice.unsaved && (
        <em
          className="dirty"
          title={choice.since && `kept from ${new Date(choice.since).toLocaleString()}`}
        >
          unsaved
        </em>
      )}
      {choice.since && (
        <button className="plain" onClick={choice.discard}>
          discard
        </button>
      )}
      <span className="grow" />
      <span className="hint">click, Shift-click; right click: more; ← → iteration</span>
      <button
        disabled={!chosen.size || !mayChange}
        onClick={() => void select(true)}
        title="T: a Select job, then the form of Auto-picking"
      >
        Use as templates
      </button>
      <button
        className="main"
        disabled={!chosen.size || !mayChange}
        onClick={() => void select()}
        title="Enter"
      >
        {into ? `Change ${into.replace(/\/$/, "")}` : "Make Select job"}
      </button>
    </footer>
  );
}

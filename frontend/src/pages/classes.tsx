// Class gallery: sort, choose, walk through iterations, look at members, make a Select job.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { address, get, post } from "../api";
import { useProject } from "../context";
import { attempt, go, link, useData, useKeys, usePersisted, useRoute } from "../hooks";
import { Dialog, Empty, Loading, Problem } from "../parts";
import type { ClassRow, Gallery } from "../types";
import { baseName, count, number } from "../words";

const MEMBERS = 96; // shown of a class

type Sort = "share" | "resolution" | "number";

export function ClassesPage() {
  const { pid, watch, mayChange } = useProject();
  const { query } = useRoute();
  const models = useData<{ models: string[]; selects: { job: string; shown: string }[] }>(
    `p/${pid}/classes`,
    {},
    watch.version,
  );
  const model = query.get("model") || models.data?.models[0] || "";
  const shown = useData<Gallery>(
    model ? `p/${pid}/classes/gallery` : null,
    { model },
    watch.version,
  );
  const [kept, setKept] = useState<Gallery | null>(null);
  const [sort, setSort] = usePersisted<Sort>("classes.sort", "share");
  const [reverse, setReverse] = useState(false);
  const [side, setSide] = usePersisted("classes.side", 128);
  const [chosen, setChosen] = useState<Set<number>>(new Set());
  const [last, setLast] = useState<number | null>(null);
  const [members, setMembers] = useState<ClassRow | null>(null);
  const into = query.get("select") ?? "";
  useEffect(() => {
    if (shown.data) setKept(shown.data);
  }, [shown.data]);
  const gallery = shown.data ?? (kept && kept.models.includes(model) ? kept : null);
  const job = gallery?.job ?? "";
  useEffect(() => {
    setChosen(new Set());
  }, [job]);
  useEffect(() => {
    if (into)
      void get<{ classes: number[] }>(`p/${pid}/classes/selection`, { job: into }).then(
        found => setChosen(new Set(found.classes)),
        () => undefined,
      );
  }, [into, pid]);
  const rows = useMemo(() => {
    const value = (row: ClassRow) =>
      sort === "share"
        ? -(row.particles ?? row.share)
        : sort === "resolution"
          ? (row.resolution_angst ?? Infinity)
          : row.number;
    const all = [...(gallery?.classes ?? [])].sort(
      (a, b) => value(a) - value(b) || a.number - b.number,
    );
    return reverse ? all.reverse() : all;
  }, [gallery, sort, reverse]);
  const order = useRef(rows);
  order.current = rows;
  const click = useCallback(
    (number: number, shift: boolean) => {
      setChosen(old => {
        const next = new Set(old);
        const numbers = order.current.map(row => row.number);
        if (shift && last !== null) {
          const [a, b] = [numbers.indexOf(last), numbers.indexOf(number)].sort((x, y) => x - y);
          numbers.slice(a, b + 1).forEach(each => next.add(each));
        } else if (!next.delete(number)) next.add(number);
        return next;
      });
      setLast(number);
    },
    [last],
  );
  const all = rows.map(row => row.number);
  const at = last === null ? -1 : all.indexOf(last);
  const iteration = gallery?.models.indexOf(model) ?? -1;
  const toIteration = (n: number) => {
    const next = gallery?.models[n];
    if (next) go(link(pid, "classes", { model: next, select: into }), true);
  };
  const particles = rows.reduce(
    (sum, row) => sum + (chosen.has(row.number) ? (row.particles ?? 0) : 0),
    0,
  );
  const total = rows.reduce((sum, row) => sum + (row.particles ?? 0), 0);
  const select = async (thenTemplates = false) => {
    if (!chosen.size || !mayChange) return;
    const made = await attempt(
      post<{ name: string }>(`p/${pid}/classes/select`, { model, classes: [...chosen], job: into }),
      `a Select job with ${chosen.size} classes is running`,
    );
    if (!made) return;
    if (thenTemplates) {
      const templates = `${made.name}class_averages.star`;
      sessionStorage.setItem(
        "verglas.prefill",
        JSON.stringify({
          type: "AutoPick",
          values: { fn_refs_autopick: templates, do_log: "No", do_refs: "Yes" },
        }),
      );
      go(link(pid, "project", { type: "AutoPick" }));
    } else go(link(pid, "project", { job: made.name }));
  };
  useKeys({
    ArrowRight: () => toIteration(iteration + 1),
    ArrowLeft: () => toIteration(iteration - 1),
    i: () => setChosen(new Set(all.filter(n => !chosen.has(n)))),
    a: () => setChosen(new Set(all)),
    c: () => setChosen(new Set()),
    Enter: () => void select(),
    t: () => void select(true),
    m: () => {
      const row = rows.find(each => each.number === last);
      if (row) setMembers(row);
    },
  });
  if (models.error) return <Problem text={models.error} retry={models.reload} />;
  if (!models.data) return <Loading what="classes" />;
  if (!model)
    return (
      <Empty title="No classes yet.">
        A 2D classification shows its classes here from its first iteration on.
      </Empty>
    );
  if (shown.error && !gallery) return <Problem text={shown.error} retry={shown.reload} />;
  if (!gallery) return <Loading what="classes" />;
  return (
    <div className="classes">
      <div className="toolbar">
        <select
          value={gallery.models[gallery.models.length - 1] ?? model}
          onChange={event => go(link(pid, "classes", { model: event.target.value }))}
          aria-label="classification"
        >
          {models.data.models.map(each => (
            <option key={each} value={each}>
              {each.split("/").slice(0, 2).join("/")}
            </option>
          ))}
          {!models.data.models.includes(gallery.models[gallery.models.length - 1] ?? model) && (
            <option value={model}>{model}</option>
          )}
        </select>
        {gallery.models.length > 1 && (
          <label className="slider inline">
            iteration {gallery.iteration}
            <input
              type="range"
              min={0}
              max={gallery.models.length - 1}
              value={Math.max(0, iteration)}
              onChange={event => toIteration(Number(event.target.value))}
            />
          </label>
        )}
        {gallery.models.length <= 1 && <span className="hint">iteration {gallery.iteration}</span>}
        <label>
          sort by{" "}
          <select value={sort} onChange={event => setSort(event.target.value as Sort)}>
            <option value="share">size</option>
            <option value="resolution">resolution</option>
            <option value="number">number</option>
          </select>
        </label>
        <button onClick={() => setReverse(!reverse)} aria-label="reverse order">
          {reverse ? "↓" : "↑"}
        </button>
        <label className="slider inline">
          size
          <input
            type="range"
            min={64}
            max={224}
            step={16}
            value={side}
            onChange={event => setSide(Number(event.target.value))}
          />
        </label>
        <span className="grow" />
        <button onClick={() => setChosen(new Set(all.filter(n => !chosen.has(n))))} title="I">
          Invert
        </button>
        <button onClick={() => setChosen(new Set(all))} title="A">
          All
        </button>
        <button onClick={() => setChosen(new Set())} title="C">
          Clear
        </button>
        <button
          disabled={at < 0}
          onClick={() => setChosen(new Set([...chosen, ...all.slice(0, at + 1)]))}
        >
          All above
        </button>
        <button disabled={at < 0} onClick={() => setChosen(new Set([...chosen, ...all.slice(at)]))}>
          All below
        </button>
      </div>
      {gallery.dimensions === 3 ? (
        <Empty title="These classes are maps.">
          <a href={link(pid, "maps", { a: gallery.classes[0]?.image ?? "" })}>
            Look at them under Maps
          </a>
        </Empty>
      ) : (
        <div className="gallery" role="listbox" aria-multiselectable aria-label="class averages">
          {rows.map(row => (
            <ClassTile
              key={row.number}
              row={row}
              gallery={gallery}
              pid={pid}
              side={side}
              chosen={chosen.has(row.number)}
              marked={last === row.number}
              click={click}
              members={setMembers}
            />
          ))}
        </div>
      )}
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
        <span className="grow" />
        <span className="hint">click, Shift-click; M members; ← → iteration</span>
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
      {members && (
        <Members pid={pid} gallery={gallery} row={members} close={() => setMembers(null)} />
      )}
    </div>
  );
}

function ClassTile({
  row,
  gallery,
  pid,
  side,
  chosen,
  marked,
  click,
  members,
}: {
  row: ClassRow;
  gallery: Gallery;
  pid: string;
  side: number;
  chosen: boolean;
  marked: boolean;
  click: (n: number, shift: boolean) => void;
  members: (row: ClassRow) => void;
}) {
  const column = (row.number - 1) % gallery.columns,
    line = Math.floor((row.number - 1) / gallery.columns);
  const columns = Math.min(gallery.columns, gallery.classes.length),
    lines = Math.ceil(gallery.classes.length / gallery.columns);
  const sheet = address(`p/${pid}/classes/sprite`, { model: gallery.model, v: gallery.changed });
  const barAngst = scaleBar(gallery.box_size * gallery.pixel_size_angst);
  return (
    <div
      className={`class-tile${chosen ? " chosen" : ""}${marked ? " marked" : ""}`}
      style={{ width: side }}
      role="option"
      aria-selected={chosen}
      tabIndex={0}
      onClick={event => click(row.number, event.shiftKey)}
      onDoubleClick={() => members(row)}
      onKeyDown={event => {
        if (event.key === " ") {
          event.preventDefault();
          click(row.number, event.shiftKey);
        }
      }}
      onContextMenu={event => {
        event.preventDefault();
        members(row);
      }}
      title={`class ${row.number}; double click: members`}
    >
      <div
        className="class-image"
        style={{
          width: side,
          height: side,
          backgroundImage: `url("${sheet}")`,
          backgroundSize: `${columns * side}px ${lines * side}px`,
          backgroundPosition: `${-column * side}px ${-line * side}px`,
        }}
      >
        <i
          className="class-bar"
          style={{ width: (barAngst / (gallery.box_size * gallery.pixel_size_angst)) * side }}
          title={`${barAngst} Å`}
        />
        {chosen && <b className="tick">✓</b>}
      </div>
      <div className="class-text">
        <b>{row.number}</b>
        <span>
          {row.particles === null ? `${(row.share * 100).toFixed(1)} %` : count(row.particles)}
        </span>
        <span>{row.resolution_angst === null ? "–" : `${number(row.resolution_angst)} Å`}</span>
      </div>
    </div>
  );
}

function scaleBar(width: number): number {
  const power = 10 ** Math.floor(Math.log10(width / 4));
  return Math.max(...[1, 2, 5].map(m => m * power).filter(s => s <= width / 4));
}

function Members({
  pid,
  gallery,
  row,
  close,
}: {
  pid: string;
  gallery: Gallery;
  row: ClassRow;
  close: () => void;
}) {
  return (
    <Dialog title={`Class ${row.number}: members`} close={close} wide>
      <div className="dialog-body">
        {gallery.data && row.particles ? (
          <img
            className="members"
            alt={`particles of class ${row.number}`}
            src={address(`p/${pid}/classes/members`, {
              data: gallery.data,
              number: row.number,
              count: MEMBERS,
            })}
          />
        ) : (
          <p>This class has no particles.</p>
        )}
        <p className="hint">
          {row.particles === null
            ? ""
            : row.particles > MEMBERS
              ? `${MEMBERS} of ${count(row.particles)} particles, from first to last; `
              : `${count(row.particles)} particles; `}
          {baseName(gallery.model)}
        </p>
      </div>
    </Dialog>
  );
}

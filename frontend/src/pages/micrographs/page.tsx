// Micrographs: the list at the left, the picture in the middle, its figures and picks at the right.
import { useEffect, useState } from "react";
import { get } from "../../api/http";
import type { MicrographInfo, Micrographs, Picks, PickSource } from "../../api/types";
import { useProject } from "../../context";
import { go, link, useData, useKeys, usePersisted, useRoute } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Empty, Loading, Problem } from "../../ui/parts";
import { baseName, count } from "../../ui/words";
import { useEditing } from "./editing";
import { MicrographList } from "./list";
import "./micrographs.css";
import { usePicks } from "./picks";
import type { Look } from "./picture";
import { SidePanels } from "./side";
import { useVerdict, type Verdict } from "./verdict";
import { Viewer } from "./viewer";

export function MicrographPage() {
  const { pid } = useProject();
  const { query } = useRoute();
  const known = useData<{ lists: string[]; picks: PickSource[] }>(`p/${pid}/micrographs`);
  const list = query.get("list") || known.data?.lists[0] || "";
  const table = useData<Micrographs>(list ? `p/${pid}/micrographs/list` : null, { path: list });
  if (known.error) return <Problem text={known.error} retry={known.reload} />;
  if (known.data && !known.data.lists.length)
    return (
      <Empty title="No micrographs yet.">
        Motion correction makes them from movies; Import lists those made elsewhere.
      </Empty>
    );
  if (table.error && !table.data) return <Problem text={table.error} retry={table.reload} />;
  if (!table.data || !known.data) return <Loading what="micrographs" />;
  return <Shown table={table.data} lists={known.data.lists} sources={known.data.picks} />;
}

function useLook(): Look {
  const [contrast, setContrast] = useState<[number, number]>([0, 255]);
  const [lowPass, setLowPass] = usePersisted("lowpass", 0);
  const [auto, setAuto] = usePersisted("contrast.auto", true);
  return { contrast, setContrast, lowPass, setLowPass, auto, setAuto };
}

/** The next one is made ready while this one is looked at. */
function useReadyNext(list: string, next: string | undefined, ready: boolean) {
  const { pid } = useProject();
  useEffect(() => {
    if (!ready || !next) return;
    const timer = setTimeout(() => {
      void get(`p/${pid}/micrographs/info`, { path: next, list }).catch(() => undefined);
    }, 250);
    return () => clearTimeout(timer);
  }, [pid, list, next, ready]);
}

interface ShownProps {
  table: Micrographs;
  lists: string[];
  sources: PickSource[];
}

function Shown({ table, lists, sources }: ShownProps) {
  const { pid } = useProject();
  const { query } = useRoute();
  const list = table.path,
    names = table.names,
    asked = query.get("name") ?? "";
  const listed = !asked || names.includes(asked);
  const index = Math.max(0, names.indexOf(asked));
  const name = listed ? (names[index] ?? "") : asked; // the newest of a live session may not be listed yet
  const source = query.get("picks") ?? sources[0]?.node ?? "";
  const from = sources.find(each => each.node === source);
  const info = useData<MicrographInfo>(name ? `p/${pid}/micrographs/info` : null, {
    path: name,
    list,
  });
  const stored = useData<Picks>(name && source ? `p/${pid}/micrographs/picks` : null, {
    node: source,
    micrograph: name,
  });
  const picks = usePicks(pid, name, stored.data, from?.editable ? from.job : "");
  const [raised, setRaised] = useState<{ of: string; minimum: number } | null>(null);
  const minimum = raised?.of === source ? raised.minimum : (stored.data?.threshold ?? null);
  const [diameter, setDiameter] = usePersisted(`diameter.${pid}`, 150);
  const [candidates, setCandidates] = usePersisted("candidates", true);
  const look = useLook();
  const show = (next: Record<string, string>) =>
    go(link(pid, "micrographs", { list, name, picks: source, ...next }), true);
  const editor = useEditing({ list, name, source, diameter, minimum, from, show }, picks);
  const { editing, save } = editor;
  const verdict = useVerdict(name);
  const step = async (by: number) => {
    if (picks.dirty && editing && !(await save())) return;
    const next = names[Math.min(names.length - 1, Math.max(0, index + by))];
    if (next) show({ name: next });
  };
  useKeys({
    ArrowRight: () => void step(1),
    ArrowLeft: () => void step(-1),
    ArrowDown: () => void step(1),
    ArrowUp: () => void step(-1),
    e: () => void editor.edit(),
    "ctrl+s": () => void save(),
    u: editing || !verdict ? picks.undo : verdict.undo,
    "ctrl+z": picks.undo,
    r: verdict?.turn,
  });
  useReadyNext(list, names[index + 1], Boolean(info.data));
  const pixel = table.pixel_size_angst;
  const erase = (x: number, y: number, r: number) => {
    const kept = picks.latest.current.filter(p => Math.hypot(p.x - x, p.y - y) > r);
    if (kept.length < picks.latest.current.length) picks.change(kept);
  };
  return (
    <div className="micrographs">
      <MicrographList
        table={table}
        index={index}
        lists={lists}
        choose={next => {
          if (picks.dirty && editing) void save();
          show({ name: next });
        }}
        chooseList={next => go(link(pid, "micrographs", { list: next }))}
      />
      <div className="middle">
        {info.error && !info.data ? (
          <Problem text={info.error} retry={info.reload} />
        ) : !info.data ? (
          <Loading what={baseName(name)} />
        ) : (
          <Boundary what="The micrograph">
            <Viewer
              pid={pid}
              path={name}
              info={info.data}
              pixel={pixel}
              look={look}
              points={picks.points}
              minimum={editing ? null : minimum}
              candidates={candidates}
              radius={pixel > 0 ? diameter / 2 / pixel : diameter / 2}
              editing={editing && Boolean(from?.editable)}
              add={(x, y) => picks.change([...picks.latest.current, { x, y, fom: null }])}
              erase={erase}
              menu={[
                {
                  text: editing ? "Save picks" : "Edit picks",
                  key: editing ? "Ctrl-S" : "E",
                  act: () => void (editing ? save() : editor.edit()),
                },
                { text: "Undo", key: "U", act: picks.undo },
                {
                  text: "Reload picks",
                  act: () => {
                    picks.forget();
                    stored.reload();
                  },
                },
                { text: "Clear picks", act: editing ? () => picks.change([]) : undefined },
              ]}
            />
          </Boundary>
        )}
        <Strip
          name={name}
          index={index}
          names={names}
          listed={listed}
          step={step}
          verdict={verdict}
        />
      </div>
      <SidePanels
        table={table}
        index={listed ? index : null}
        name={name}
        info={info.data}
        look={look}
        picks={{
          sources,
          source,
          from,
          picks,
          editing: editor,
          minimum,
          setMinimum: v => setRaised({ of: source, minimum: v }),
          diameter,
          setDiameter,
          candidates,
          setCandidates,
          choose: node => {
            editor.setEditing(false);
            show({ picks: node });
          },
        }}
      />
    </div>
  );
}

/** Where in the list, the verdict on this one, to the one before and after. */
function Strip({
  name,
  index,
  names,
  listed,
  step,
  verdict,
}: {
  name: string;
  index: number;
  names: string[];
  listed: boolean;
  step: (by: number) => Promise<void>;
  verdict: Verdict | null;
}) {
  return (
    <footer className="strip">
      <button onClick={() => void step(-1)} disabled={index === 0} aria-label="the one before">
        ←
      </button>
      <b title={name}>{baseName(name)}</b>
      <span className="hint">
        {listed ? `${index + 1} of ${count(names.length)}` : "not in this list yet"}
      </span>
      {verdict?.said && (
        <span className="why-aside" title={verdict.said}>
          ✕ {verdict.said}
        </span>
      )}
      {verdict?.turn && (
        <button onClick={verdict.turn}>
          {verdict.word} <kbd>R</kbd>
        </button>
      )}
      <button
        onClick={() => void step(1)}
        disabled={index >= names.length - 1}
        aria-label="the one after"
      >
        →
      </button>
    </footer>
  );
}

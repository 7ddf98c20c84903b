// Micrographs: the list at the left, the picture in the middle, its figures and picks at the right.
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { address, get, post, put } from "../../api";
import { useProject } from "../../context";
import { FIGURES } from "../../figures";
import { attempt, go, link, tell, useData, useKeys, usePersisted, useRoute } from "../../hooks";
import { Empty, Loading, Problem } from "../../parts";
import { LinePlot } from "../../plots";
import type { MicrographInfo, Micrographs, Picks, PickSource } from "../../types";
import { baseName, count, number } from "../../words";
import { DriftTrack } from "./drift";
import { MicrographList } from "./list";
import { Viewer, type Point } from "./viewer";

export function MicrographPage() {
  const { pid, watch, mayChange } = useProject();
  const { query } = useRoute();
  const known = useData<{ lists: string[]; picks: PickSource[] }>(
    `p/${pid}/micrographs`,
    {},
    watch.version,
  );
  const list = query.get("list") || known.data?.lists[0] || "";
  const table = useData<Micrographs>(
    list ? `p/${pid}/micrographs/list` : null,
    { path: list },
    watch.version,
  );
  const names = table.data?.names ?? [];
  const asked = query.get("name") ?? "",
    listed = !asked || names.includes(asked);
  const index = Math.max(0, names.indexOf(asked));
  const name = listed ? (names[index] ?? "") : asked; // the newest of a live session may not be listed yet
  const source = query.get("picks") ?? known.data?.picks[0]?.node ?? "";
  const from = known.data?.picks.find(each => each.node === source);
  const info = useData<MicrographInfo>(name ? `p/${pid}/micrographs/info` : null, {
    path: name,
    list,
  });
  const picks = useData<Picks>(name && source ? `p/${pid}/micrographs/picks` : null, {
    node: source,
    micrograph: name,
  });
  const [points, setPoints] = useState<Point[]>([]);
  const [past, setPast] = useState<Point[][]>([]);
  const [dirty, setDirty] = useState(false);
  const [minimum, setMinimum] = useState<number | null>(null);
  const [diameter, setDiameter] = usePersisted(`diameter.${pid}`, 150);
  const [contrast, setContrast] = useState<[number, number]>([0, 255]);
  const [lowPass, setLowPass] = usePersisted("lowpass", 0);
  const [editing, setEditing] = useState(false);
  const latest = useRef(points);
  latest.current = points;
  useEffect(() => {
    const p = picks.data;
    setPoints(p ? p.x.map((x, i) => ({ x, y: p.y[i], fom: p.fom?.[i] ?? null })) : []);
    setPast([]);
    setDirty(false);
  }, [picks.data]);
  useEffect(() => {
    setMinimum(picks.data?.threshold ?? null);
  }, [source, picks.data?.threshold]);
  const show = (next: Record<string, string>) =>
    go(link(pid, "micrographs", { list, name, picks: source, ...next }), true);
  const change = (next: Point[]) => {
    setPast(old => [...old.slice(-99), latest.current]);
    setPoints(next);
    setDirty(true);
  };
  const save = useCallback(async () => {
    if (!from?.editable) return true;
    const [folder, job] = from.job.split("/");
    const all = latest.current;
    const done = await attempt(
      put(`p/${pid}/micrographs/picks/${folder}/${job}`, {
        micrograph: name,
        x: all.map(p => p.x),
        y: all.map(p => p.y),
      }),
      `${all.length} picks saved`,
    );
    if (done) setDirty(false);
    return Boolean(done);
  }, [from, name, pid]);
  const step = async (by: number) => {
    if (dirty && editing && !(await save())) return;
    const next = names[Math.min(names.length - 1, Math.max(0, index + by))];
    if (next) show({ name: next });
  };
  const edit = async () => {
    if (!mayChange) return;
    if (editing) {
      if (dirty && !(await save())) return;
      setEditing(false);
      return;
    }
    if (from?.editable) {
      setEditing(true);
      return;
    }
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
    const job = made.name.replace(/\/$/, "");
    for (let tries = 0; tries < 40; tries++) {
      const now = await get<{ picks: PickSource[] }>(`p/${pid}/micrographs`);
      if (now.picks.some(each => each.job === made.name)) break;
      await new Promise(done => setTimeout(done, 500));
    }
    known.reload();
    const now = await get<{ picks: PickSource[] }>(`p/${pid}/micrographs`);
    const node =
      now.picks.find(each => each.job === made.name)?.node ??
      `${job}/coords_suffix_manualpick.star`;
    show({ picks: node });
    setEditing(true);
  };
  const finish = async () => {
    if (!from || (dirty && !(await save()))) return;
    const [folder, job] = from.job.split("/");
    if (
      await attempt(
        post(`p/${pid}/micrographs/picks/${folder}/${job}/finish`),
        `${from.shown} is up to date for extraction`,
      )
    )
      setEditing(false);
  };
  const undo = () => {
    const back = past[past.length - 1];
    if (back) {
      setPast(past.slice(0, -1));
      setPoints(back);
      setDirty(true);
    }
  };
  useKeys({
    ArrowRight: () => void step(1),
    ArrowLeft: () => void step(-1),
    ArrowDown: () => void step(1),
    ArrowUp: () => void step(-1),
    e: () => void edit(),
    "ctrl+s": () => void save(),
    u: undo,
    "ctrl+z": undo,
  });
  useEffect(() => {
    if (!dirty) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", warn);
    return () => window.removeEventListener("beforeunload", warn);
  }, [dirty]);
  useEffect(() => {
    // the next one is made ready while this one is looked at
    const next = names[index + 1];
    if (!info.data || !next) return;
    const timer = setTimeout(() => {
      void get(`p/${pid}/micrographs/info`, { path: next, list }).catch(() => undefined);
    }, 250);
    return () => clearTimeout(timer);
  }, [info.data, index]); // eslint-disable-line
  const foms = useMemo(
    () => points.map(p => p.fom).filter((v): v is number => v !== null),
    [points],
  );
  if (known.error) return <Problem text={known.error} retry={known.reload} />;
  if (known.data && !known.data.lists.length)
    return (
      <Empty title="No micrographs yet.">
        Motion correction makes them from movies; Import lists those made elsewhere.
      </Empty>
    );
  if (table.error) return <Problem text={table.error} retry={table.reload} />;
  if (!table.data || !known.data) return <Loading what="micrographs" />;
  const pixel = table.data.pixel_size_angst;
  const shownCount =
    minimum === null
      ? points.length
      : points.filter(p => p.fom === null || p.fom >= minimum).length;
  return (
    <div className="micrographs">
      <MicrographList
        table={table.data}
        index={index}
        lists={known.data.lists}
        choose={next => {
          if (dirty && editing) void save();
          show({ name: next });
        }}
        chooseList={next => go(link(pid, "micrographs", { list: next }))}
      />
      <div className="middle">
        {info.error ? (
          <Problem text={info.error} retry={info.reload} />
        ) : !info.data ? (
          <Loading what={baseName(name)} />
        ) : (
          <Viewer
            pid={pid}
            path={name}
            info={info.data}
            pixel={pixel}
            lowPass={lowPass}
            black={contrast[0]}
            white={contrast[1]}
            points={points}
            minimum={editing ? null : minimum}
            radius={pixel > 0 ? diameter / 2 / pixel : diameter / 2}
            editing={editing && Boolean(from?.editable)}
            add={(x, y) => change([...latest.current, { x, y, fom: null }])}
            erase={(x, y, r) => {
              const kept = latest.current.filter(p => Math.hypot(p.x - x, p.y - y) > r);
              if (kept.length < latest.current.length) change(kept);
            }}
            menu={[
              {
                text: editing ? "Save picks (Ctrl-S)" : "Edit picks (E)",
                act: () => void (editing ? save() : edit()),
              },
              { text: "Undo (U)", act: undo },
              { text: "Reload picks", act: () => picks.reload() },
              ...(editing ? [{ text: "Clear picks", act: () => change([]) }] : []),
            ]}
          />
        )}
        <footer className="strip">
          <button onClick={() => void step(-1)} disabled={index === 0}>
            ←
          </button>
          <b title={name}>{baseName(name)}</b>
          <span className="hint">
            {listed ? `${index + 1} of ${count(names.length)}` : "not in this list yet"}
          </span>
          <button onClick={() => void step(1)} disabled={index >= names.length - 1}>
            →
          </button>
        </footer>
      </div>
      <aside className="figures">
        <section>
          <h3>Picks</h3>
          {known.data.picks.length === 0 ? (
            <p className="hint">No picks yet. Auto-picking makes them; or begin by hand.</p>
          ) : (
            <select
              value={source}
              onChange={event => {
                setEditing(false);
                show({ picks: event.target.value });
              }}
              aria-label="picks of"
            >
              {known.data.picks.map(each => (
                <option key={each.node} value={each.node}>
                  {each.shown.replace(/\/$/, "")}
                  {each.editable ? " (by hand)" : ""}
                </option>
              ))}
            </select>
          )}
          <p>
            <b className="big" data-testid="pick-count">
              {count(shownCount)}
            </b>{" "}
            picks
            {points.length !== shownCount && <small> of {count(points.length)} candidates</small>}
            {dirty && <em className="dirty"> not saved</em>}
          </p>
          {foms.length > 0 && !editing && (
            <label className="slider">
              Figure of merit ≥ {number(minimum ?? Math.min(...foms))}
              <input
                type="range"
                min={Math.min(...foms)}
                max={Math.max(...foms)}
                step="any"
                value={minimum ?? Math.min(...foms)}
                onChange={event => setMinimum(Number(event.target.value))}
              />
            </label>
          )}
          <label className="slider">
            Diameter {diameter} Å{" "}
            <input
              type="range"
              min={20}
              max={1000}
              step={5}
              value={diameter}
              onChange={event => setDiameter(Number(event.target.value))}
            />
          </label>
          {mayChange && (
            <div className="buttons">
              <button className={editing ? "main" : ""} onClick={() => void edit()} title="E">
                {editing
                  ? "Stop editing"
                  : from?.editable
                    ? "Edit picks"
                    : source
                      ? "Edit a copy by hand"
                      : "Pick by hand"}
              </button>
              {editing && (
                <button disabled={!dirty} onClick={() => void save()}>
                  Save
                </button>
              )}
              {editing && (
                <button onClick={() => void finish()} title="rebuild the lists of this job">
                  Finish
                </button>
              )}
              {editing && (
                <button disabled={!past.length} onClick={undo}>
                  Undo
                </button>
              )}
            </div>
          )}
          {editing && (
            <p className="hint">
              Left adds; middle or Shift-left drag erases; right opens the menu; drag moves.
            </p>
          )}
        </section>
        <section>
          <h3>Picture</h3>
          <label className="slider">
            Black{" "}
            <input
              type="range"
              min={0}
              max={200}
              value={contrast[0]}
              onChange={event =>
                setContrast([
                  Number(event.target.value),
                  Math.max(contrast[1], Number(event.target.value) + 20),
                ])
              }
            />
          </label>
          <label className="slider">
            White{" "}
            <input
              type="range"
              min={55}
              max={255}
              value={contrast[1]}
              onChange={event =>
                setContrast([
                  Math.min(contrast[0], Number(event.target.value) - 20),
                  Number(event.target.value),
                ])
              }
            />
          </label>
          <label className="slider">
            Low-pass {lowPass > 0 ? `${lowPass} Å` : "off"}{" "}
            <input
              type="range"
              min={0}
              max={60}
              step={5}
              value={lowPass}
              onChange={event => setLowPass(Number(event.target.value))}
            />
          </label>
        </section>
        {listed && <Figures table={table.data} index={index} />}
        {info.data?.has_spectrum && (
          <section>
            <h3>Power spectrum and CTF fit</h3>
            <img
              className="spectrum"
              alt="power spectrum with the fitted CTF"
              src={address(`p/${pid}/micrographs/spectrum`, {
                path: name,
                list,
                v: info.data.changed,
              })}
            />
          </section>
        )}
        {info.data?.ctf && (
          <section>
            <h3>CTF fit (1/Å)</h3>
            <LinePlot
              height={150}
              xTitle="1/Å"
              x={info.data.ctf.frequency}
              series={[
                { name: "spectrum", y: info.data.ctf.spectrum },
                { name: "CTF²", y: info.data.ctf.ctf },
                { name: "agreement", y: info.data.ctf.agreement },
              ]}
              yRange={[-0.1, 1.05]}
            />
          </section>
        )}
        {info.data?.drift && (
          <section>
            <h3>Drift track ({pixel > 0 ? "Å" : "pixels"})</h3>
            <DriftTrack drift={info.data.drift} scale={pixel || 1} />
          </section>
        )}
      </aside>
    </div>
  );
}

function Figures({ table, index }: { table: Micrographs; index: number }) {
  return (
    <section>
      <h3>Figures</h3>
      <table className="figures-table">
        <tbody>
          {Object.entries(FIGURES)
            .filter(([key]) => table.columns[key])
            .map(([key, { title, unit, scale = 1 }]) => {
              const value = table.columns[key][index];
              return (
                <tr key={key}>
                  <th>{title}</th>
                  <td>
                    {number(value === null ? null : value * scale)} {value === null ? "" : unit}
                  </td>
                </tr>
              );
            })}
        </tbody>
      </table>
    </section>
  );
}

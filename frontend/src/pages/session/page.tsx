// The session: is it healthy, what came, what is good, what was set aside; one selection through all plots.
import { useEffect, useMemo, useRef, useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { FIGURES } from "../../figures";
import { attempt, go, link, tell, useData, useKeys, useRoute } from "../../hooks";
import { Empty, Loading, Problem } from "../../parts";
import type { EventLine, Micrographs } from "../../types";
import { Asides } from "./asides";
import { LinkedPlots, Thresholds } from "./curate";
import {
  clock,
  droppedBy,
  sheetOfList,
  sheetOfLive,
  thresholdText,
  type Grid,
  type Health,
  type Limits,
  type LiveMovies,
  type LiveSession,
  type Overview,
  type Sheet,
} from "./data";
import { Gallery, viewerLink } from "./gallery";
import { GridMap } from "./gridmap";
import { HealthLine } from "./health";
import { Night } from "./night";
import type { StageSettings } from "./settings";
import { StagesPanel } from "./stages";
import { NewSessionDialog } from "./start";
import { TrialDialog, TuneDialog } from "./trial";
import "./session.css";

export function SessionPage() {
  const { pid, watch, mayChange } = useProject();
  const { query } = useRoute();
  const [dialog, setDialog] = useState("");
  const overview = useData<Overview>(`p/${pid}/overview`, {}, watch.version);
  const sessions = useData<string[]>(`p/${pid}/live`, {}, watch.version);
  const name = query.get("session") ?? sessions.data?.[0] ?? "";
  const live = useData<LiveSession>(name ? `p/${pid}/live/${name}` : null, {}, watch.version);
  const health = useData<Health>(name ? `p/${pid}/live/${name}/health` : null, {}, watch.version);
  const movies = useData<LiveMovies>(
    name ? `p/${pid}/live/${name}/movies` : null,
    {},
    watch.version,
  );
  const events = useData<EventLine[]>(`p/${pid}/events`, { last: 2000 }, watch.version);
  const list = overview.data?.list ?? "";
  const table = useData<Micrographs>(
    list && !name ? `p/${pid}/micrographs/list` : null,
    { path: list },
    watch.version,
  );
  const sheet = useMemo(
    () =>
      movies.data?.names.length
        ? sheetOfLive(movies.data, list)
        : table.data
          ? sheetOfList(table.data)
          : null,
    [movies.data, table.data, list],
  );
  const [brush, setBrush] = useState<[number, number] | null>(null);
  if (overview.error) return <Problem text={overview.error} retry={overview.reload} />;
  if (!overview.data || (sessions.loading && !sessions.error)) return <Loading what="session" />;
  const empty = !list && !sheet;
  return (
    <div className="session">
      <HealthLine o={overview.data} live={name ? live.data : null} health={health.data}>
        {(sessions.data?.length ?? 0) > 1 && (
          <select
            value={name}
            aria-label="live session"
            onChange={event => go(link(pid, "session", { session: event.target.value }))}
          >
            {sessions.data!.map(each => (
              <option key={each}>{each}</option>
            ))}
          </select>
        )}
        {mayChange && (
          <button className={empty && !name ? "main" : ""} onClick={() => setDialog("new")}>
            New session
          </button>
        )}
      </HealthLine>
      {dialog === "new" && <NewSessionDialog close={() => setDialog("")} />}
      {live.error && <Problem text={live.error} retry={live.reload} />}
      {live.data && name && <StagesPanel session={live.data} />}
      {(sheet || (events.data?.length ?? 0) > 0) && (
        <Night sheet={sheet} events={events.data ?? []} brush={brush} onBrush={setBrush} />
      )}
      {sheet ? (
        <Figures
          key={name}
          sheet={sheet}
          name={name}
          live={live.data}
          goodShare={health.data?.good_share ?? 1}
          brush={brush}
          setBrush={setBrush}
          reload={movies.reload}
        />
      ) : movies.error || table.error ? (
        <Problem
          text={movies.error || table.error}
          retry={() => {
            movies.reload();
            table.reload();
          }}
        />
      ) : name && live.data ? (
        <Empty title="Waiting for the first movie.">
          Files appear here as soon as they are complete; why one is not taken is said above.
        </Empty>
      ) : empty ? (
        <Empty title="No micrographs yet.">
          {mayChange ? (
            <>
              Press <b>New session</b> and name the folder where the microscope writes its movies;
              or import movies, schedule the chain, and Autorun it from the menu top left.
            </>
          ) : (
            "Figures appear here as the first micrographs are done."
          )}
        </Empty>
      ) : (
        <Loading what="figures" />
      )}
    </div>
  );
}

interface Undo {
  text: string;
  act: () => Promise<unknown>;
}

function Figures({
  sheet,
  name,
  live,
  goodShare,
  brush,
  setBrush,
  reload,
}: {
  sheet: Sheet;
  name: string;
  live: LiveSession | null;
  goodShare: number;
  brush: [number, number] | null;
  setBrush: (range: [number, number] | null) => void;
  reload: () => void;
}) {
  const { pid, mayChange } = useProject();
  const [limits, setLimits] = useState<Limits>({});
  const [place, setPlace] = useState<{ text: string; rows: number[] } | null>(null);
  const [chosen, setChosen] = useState<number | undefined>();
  const [dialog, setDialog] = useState("");
  const [undos, setUndos] = useState<Undo[]>([]);
  const grid = useData<Grid>(
    sheet.live ? `p/${pid}/live/${name}/grid` : `p/${pid}/micrographs/grid`,
    sheet.live ? {} : { path: sheet.list },
    sheet.names.length,
  );
  const settings = useData<StageSettings>(
    name ? `p/${pid}/live/${name}/settings` : null,
    {},
    live?.status?.found ?? 0,
  );
  useEffect(() => {
    if (grid.data?.pending) {
      const timer = setTimeout(grid.reload, 500);
      return () => clearTimeout(timer);
    }
  }, [grid.data, grid.reload]);
  const dropped = useMemo(() => droppedBy(sheet, limits), [sheet, limits]);
  const selected = useMemo(() => {
    if (!brush && !place) return null;
    const found = new Uint8Array(sheet.names.length);
    if (place)
      place.rows.forEach(i => {
        found[i] = 1;
      });
    else found.fill(1);
    if (brush)
      sheet.times.forEach((t, i) => {
        if (t === null || t < brush[0] || t > brush[1]) found[i] = 0;
      });
    return found;
  }, [brush, place, sheet]);
  const keep = useMemo(
    () =>
      Uint8Array.from(dropped, (out, i) =>
        out || (selected && !selected[i]) || sheet.kind[i] ? 0 : 1,
      ),
    [dropped, selected, sheet],
  );
  const shown = useMemo(
    () => Uint8Array.from(sheet.names, (_, i) => (selected && !selected[i] ? 0 : 1)),
    [selected, sheet],
  );
  const words = [brush && `${clock(brush[0])} to ${clock(brush[1])}`, place?.text]
    .filter(Boolean)
    .join(", ");
  const busy = useRef<Promise<unknown>>(Promise.resolve());
  /** Steps one after another; each can be undone from the moment it is asked for, and is forgotten if it is refused. */
  const act = (work: () => Promise<unknown>, done: string, undo?: Undo) => {
    if (undo) setUndos(old => [...old.slice(-49), undo]);
    busy.current = busy.current
      .then(() => attempt(work(), done))
      .then(good => {
        if (!good && undo) setUndos(old => old.filter(each => each !== undo));
        reload();
        return good;
      });
    return busy.current;
  };
  const judge = (verdict: string, i: number) => {
    const n = sheet.numbers[i],
      before = sheet.byHand[i] || "forget";
    const send = (word: string) =>
      post(`p/${pid}/live/verdict`, {
        session: name,
        verdict: word,
        numbers: [n],
        ...(word === "reject" ? { why: "set aside on the session page" } : {}),
      });
    const said =
      verdict === "accept"
        ? `movie ${n} is taken back`
        : verdict === "reject"
          ? `movie ${n} is set aside; U undoes`
          : `movie ${n} is tried again`;
    void act(
      () => send(verdict),
      said,
      verdict === "again"
        ? undefined
        : { text: `the verdict on movie ${n}`, act: () => send(before) },
    );
  };
  const verdicts =
    mayChange && sheet.live
      ? {
          accept: (i: number) => judge("accept", i),
          reject: (i: number) => judge("reject", i),
          again: (i: number) => judge("again", i),
        }
      : undefined;
  const setThresholds = (text: string) =>
    post(`p/${pid}/live/thresholds`, { session: name, text: text || "none" });
  const apply = async () => {
    if (!sheet.live) {
      const limited = Object.entries(limits)
        .filter(([, [low, high]]) => low !== null || high !== null)
        .map(([figure, [low, high]]) => ({
          figure,
          low: low === null ? null : low / (FIGURES[figure].scale ?? 1),
          high: high === null ? null : high / (FIGURES[figure].scale ?? 1),
        }));
      const made = await attempt(
        post<{ names: string[] }>(`p/${pid}/thresholds`, {
          micrographs: sheet.list,
          limits: limited,
        }),
      );
      if (made) go(link(pid, "project", { job: made.names[made.names.length - 1] }));
      return;
    }
    const before = sheet.thresholds,
      wanted = thresholdText(limits, before);
    if (
      await act(() => setThresholds(wanted), "the session takes the limits; U undoes", {
        text: "the limits",
        act: () => setThresholds(before),
      })
    )
      setLimits({});
  };
  const clearStanding = () => {
    const before = sheet.thresholds;
    void act(() => setThresholds(""), "no limits; U undoes", {
      text: "taking the limits away",
      act: () => setThresholds(before),
    });
  };
  const undo = () => {
    const last = undos[undos.length - 1];
    if (!last) {
      tell("nothing to undo");
      return;
    }
    setUndos(undos.slice(0, -1));
    void act(last.act, `undone: ${last.text}`);
  };
  const step = (by: number) => {
    let i = chosen === undefined ? (by > 0 ? -1 : sheet.names.length) : chosen;
    do i += by;
    while (i >= 0 && i < sheet.names.length && (!shown[i] || !sheet.made[i]));
    if (i >= 0 && i < sheet.names.length) setChosen(i);
  };
  const mayTry = mayChange && sheet.live && live !== null;
  useKeys({
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    Escape: () => {
      setChosen(undefined);
      setBrush(null);
      setPlace(null);
    },
    r:
      chosen !== undefined && verdicts
        ? () =>
            sheet.kind[chosen] === "failure"
              ? verdicts.again(chosen)
              : sheet.kind[chosen]
                ? verdicts.accept(chosen)
                : verdicts.reject(chosen)
        : undefined,
    u: mayChange ? undo : undefined,
    t: mayTry && chosen !== undefined ? () => setDialog("try") : undefined,
    p: mayTry ? () => setDialog("tune") : undefined,
    Enter:
      chosen !== undefined && sheet.names[chosen].endsWith(".mrc") && sheet.list
        ? () => {
            const focus = document.activeElement;
            if (focus instanceof HTMLElement && focus.matches("button, a, summary"))
              focus.click(); // Enter is that element's own
            else go(viewerLink(pid, sheet, chosen));
          }
        : undefined,
  });
  const options = settings.data?.AutoPick?.options;
  const placed = grid.data && grid.data.holes.length > 0;
  return (
    <>
      <div className="two">
        <Gallery
          sheet={sheet}
          session={sheet.live ? name : ""}
          keep={shown}
          chosen={chosen}
          choose={setChosen}
          diameter={Number(options?.log_diam_max) || 150}
          adjust={Number(options?.log_adjust_thr) || 0}
          selected={words}
          judge={verdicts}
          trial={
            mayTry
              ? i => {
                  setChosen(i);
                  setDialog("try");
                }
              : undefined
          }
          tune={mayTry ? () => setDialog("tune") : undefined}
        />
        <div className="stack">
          <section className="live-panel" aria-label="grid">
            {placed ? (
              <GridMap
                grid={grid.data!}
                sheet={sheet}
                keep={shown}
                goodShare={goodShare}
                chosen={chosen}
                selected={place?.text ?? ""}
                select={(text, rows) => setPlace(rows ? { text, rows } : null)}
              />
            ) : (
              <>
                <h3>Grid squares and holes</h3>
                <p className="hint">
                  {grid.error ||
                    (grid.loading
                      ? "…"
                      : "Nothing at the movies says where on the grid they were taken. EPU's folders and names do, SerialEM's .mdoc files (stage position, image shift), and its multi-shot names.")}
                </p>
              </>
            )}
          </section>
          {sheet.live && (
            <Asides
              sheet={sheet}
              chosen={chosen}
              choose={setChosen}
              judge={verdicts}
              inSelection={selected}
              selected={words}
            />
          )}
        </div>
      </div>
      {Object.keys(sheet.columns).length === 0 ? (
        <p className="hint">Figures come with motion correction and CTF estimation.</p>
      ) : (
        <>
          <Thresholds
            sheet={sheet}
            limits={limits}
            setLimits={setLimits}
            dropped={dropped}
            part={selected}
            chosen={chosen}
            apply={mayChange ? () => void apply() : undefined}
            clearStanding={mayChange && sheet.live ? clearStanding : undefined}
          />
          <LinkedPlots
            sheet={sheet}
            keep={keep}
            chosen={chosen}
            choose={setChosen}
            brush={brush}
            onBrush={setBrush}
          />
        </>
      )}
      {undos.length > 0 && (
        <p className="undo-bar">
          <button onClick={undo}>
            Undo {undos[undos.length - 1].text} <kbd>U</kbd>
          </button>
        </p>
      )}
      {dialog === "try" && chosen !== undefined && (
        <TrialDialog session={name} sheet={sheet} start={chosen} close={() => setDialog("")} />
      )}
      {dialog === "tune" && <TuneDialog session={name} sheet={sheet} close={() => setDialog("")} />}
    </>
  );
}

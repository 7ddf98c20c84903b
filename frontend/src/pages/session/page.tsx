// The session: is it healthy, what came, what is good, what was set aside; one selection through all plots.
import { lazy, Suspense, useMemo, useState } from "react";
import type { EventLine, Health, Micrographs, Overview } from "../../api/types";
import { useProject } from "../../context";
import { go, link, useData, useRoute } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Empty, Loading, Problem } from "../../ui/parts";
import { sheetOfList, sheetOfLive, type LiveSession } from "./data";
import { Figures } from "./figures";
import { HealthLine } from "./health";
import { useMovies } from "./movies";
import { Night } from "./night/panel";
import { StagesPanel } from "./stages";
import { NewSessionDialog } from "./begin/dialog";
import "./panels.css";
import "./session.css";

const SessionMap = lazy(() =>
  import("./map/panel").then(module => ({ default: module.SessionMap })),
);

export function SessionPage() {
  const { pid, mayChange } = useProject();
  const { query } = useRoute();
  const [dialog, setDialog] = useState("");
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const overview = useData<Overview>(`p/${pid}/overview`);
  const sessions = useData<string[]>(`p/${pid}/live`);
  const name = query.get("session") ?? sessions.data?.[0] ?? "";
  const live = useData<LiveSession>(name ? `p/${pid}/live/${name}` : null);
  const health = useData<Health>(name ? `p/${pid}/live/${name}/health` : null);
  const movies = useMovies(pid, name);
  const events = useData<EventLine[]>(`p/${pid}/events`, { last: 2000 });
  const list = overview.data?.list ?? "";
  const table = useData<Micrographs>(list && !name ? `p/${pid}/micrographs/list` : null, {
    path: list,
  });
  const sheet = useMemo(
    () =>
      movies.data?.names.length
        ? sheetOfLive(movies.data, list)
        : table.data
          ? sheetOfList(table.data)
          : null,
    [movies.data, table.data, list],
  );
  if (overview.error && !overview.data)
    return <Problem text={overview.error} retry={overview.reload} />;
  if (!overview.data || (sessions.loading && !sessions.error)) return <Loading what="session" />;
  const empty = !list && !sheet;
  const problem = movies.error || table.error;
  return (
    <div className="session">
      <Boundary what="The health of the session">
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
      </Boundary>
      {dialog === "new" && <NewSessionDialog close={() => setDialog("")} />}
      {live.error && <Problem text={live.error} retry={live.reload} />}
      {live.data && name && (
        <Boundary what="The stages">
          <StagesPanel session={live.data} />
        </Boundary>
      )}
      {live.data?.status?.map?.state && (
        <Boundary what="The map">
          <Suspense fallback={<Loading what="map" />}>
            <SessionMap name={name} />
          </Suspense>
        </Boundary>
      )}
      {(sheet || (events.data?.length ?? 0) > 0) && (
        <Boundary what="The session in time">
          <Night sheet={sheet} events={events.data ?? []} brush={brush} onBrush={setBrush} />
        </Boundary>
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
      ) : problem ? (
        <Problem
          text={problem}
          retry={() => {
            void movies.reload();
            table.reload();
          }}
        />
      ) : (
        <Nothing waiting={Boolean(name && live.data)} empty={empty} />
      )}
    </div>
  );
}

function Nothing({ waiting, empty }: { waiting: boolean; empty: boolean }) {
  const { mayChange } = useProject();
  if (waiting)
    return (
      <Empty title="Waiting for the first movie.">
        Files appear here as soon as they are complete; why one is not taken is said above.
      </Empty>
    );
  if (!empty) return <Loading what="figures" />;
  return (
    <Empty title="No micrographs yet.">
      {mayChange ? (
        <>
          Press <b>New session</b> and name the folder where the microscope writes its movies; or
          import movies, schedule the chain, and Autorun it from the menu top left.
        </>
      ) : (
        "Figures appear here as the first micrographs are done."
      )}
    </Empty>
  );
}

// The map of a session: what it waits for, the map itself, how much longer, from which sides, what helps.
import { useState } from "react";
import type { Answers, LiveMap } from "../../../api/types";
import { useProject } from "../../../context";
import { link, useData } from "../../../hooks";
import { Boundary } from "../../../ui/boundary";
import { MapPanel } from "../../maps/panel";
import { Orientations } from "../../maps/sphere";
import "../../maps/maps.css";
import { capital } from "../../../ui/words";
import { ForecastPanel, FscPanel } from "./forecast";
import "./map.css";
import { PartsPanel } from "./parts";
import { MapMenu, Waits } from "./waits";

export function SessionMap({ name }: { name: string }) {
  const { pid } = useProject();
  const map = useData<LiveMap>(`p/${pid}/live/${name}/map`);
  const answers = useData<Answers>(map.data ? `p/${pid}/live/${name}/answers` : null);
  if (!map.data) return null;
  const { state } = map.data;
  const job = state.job || state.initial_job;
  const told = answers.data?.history.length && answers.data.job === state.job ? answers.data : null;
  return (
    <section className="live-panel session-map" aria-label="map of the session">
      <header>
        <h2>
          Map <small className="phase">{state.state}</small>
        </h2>
        <span className="hint">{map.data.line.replace(/^map: [^;]*;? ?/, "")}</span>
        {job && <a href={link(pid, "project", { job })}>{job.replace(/\/$/, "")}</a>}
        <span className="grow" />
        {state.map && (
          <a className="button" href={link(pid, "maps", { a: state.map })}>
            On its own page
          </a>
        )}
        <MapMenu session={name} map={map.data} />
      </header>
      <Waits session={name} map={map.data} />
      {told?.alerts
        .filter(each => each.kind !== "views") // said beside the picture of the views
        .map(each => (
          <div key={each.kind} className="note-box bad" role="alert">
            {each.words}
          </div>
        ))}
      {state.map && (
        <div className="session-map-row">
          <Boundary key={state.map} what="The map">
            <OneMap path={state.map} />
          </Boundary>
          {told && (
            <div>
              <Boundary what="The forecast">
                <ForecastPanel answers={told} />
                <FscPanel answers={told} />
              </Boundary>
            </div>
          )}
          {told && (
            <Boundary what="Views and parts">
              <Sides pid={pid} answers={told} />
            </Boundary>
          )}
        </div>
      )}
    </section>
  );
}

function OneMap({ path }: { path: string }) {
  const [position, setPosition] = useState(0.5);
  return (
    <MapPanel
      path={path}
      maps={[path]}
      choose={() => undefined}
      mask=""
      colour=""
      atoms=""
      locked={false}
      position={position}
      setPosition={setPosition}
    />
  );
}

function Sides({ pid, answers }: { pid: string; answers: Answers }) {
  const { views, squares, hours, unknown } = answers;
  return (
    <div className="map-sides">
      <PartsPanel title="What grid squares add" parts={squares} />
      <PartsPanel title="What hours add" parts={hours} />
      <section aria-label="views">
        <h3>From which sides</h3>
        {views && <p className={views.tilt_deg ? "warn" : ""}>{capital(views.words)}.</p>}
        <Orientations pid={pid} path={`${answers.job}run_data.star`} />
      </section>
      {unknown.length > 0 && <p className="hint">Not known: {unknown.join("; ")}</p>}
    </div>
  );
}

// The session's stages and devices, counts, what goes wrong.
import { useProject } from "../../context";
import { link } from "../../hooks";
import { count, duration } from "../../ui/words";
import { Controls } from "./begin/controls";
import { NotTaken } from "./begin/nottaken";
import type { LiveSession } from "./data";

export function StagesPanel({ session }: { session: LiveSession }) {
  const { pid } = useProject();
  const s = session.status;
  return (
    <section className="live-panel" aria-label="stages">
      <header>
        <h2>
          {session.name}{" "}
          <small className={`phase ${session.state?.phase ?? ""}`}>
            {session.state?.phase ?? s?.phase}
          </small>
        </h2>
        <span className="hint">
          {s?.source}
          {s?.message ? ` · ${s.message}` : ""}
        </span>
        <span className="grow" />
        <Controls session={session} />
      </header>
      {!s ? (
        <p className="hint">
          The session has written nothing yet: its workers start, which takes some seconds.
        </p>
      ) : (
        <div className="live-columns">
          <table className="plain-table stages">
            <thead>
              <tr>
                <th>stage</th>
                <th>done</th>
                <th>waiting</th>
                <th>in hand</th>
                <th>failed</th>
                <th>a movie</th>
              </tr>
            </thead>
            <tbody>
              {s.stages.map(each => (
                <tr key={each.name}>
                  <th>
                    <a href={link(pid, "project", { job: each.job })}>{each.name}</a>
                  </th>
                  <td>{count(each.done)}</td>
                  <td className={each.waiting > 50 ? "warn" : ""}>{count(each.waiting)}</td>
                  <td>{each.in_hand || ""}</td>
                  <td className={each.aside ? "bad" : ""}>{each.aside || ""}</td>
                  <td>{each.mean_s ? `${each.mean_s.toFixed(1)} s` : ""}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <div className="counts-block">
            <p>
              <b>{count(s.found)}</b> found · <b>{count(s.accepted)}</b> accepted ·{" "}
              <b>{count(s.set_aside)}</b> set aside ·{" "}
              <b className={s.failed ? "bad" : ""}>{count(s.failed)}</b> failed
            </p>
            {s.latency_s > 0 && (
              <p className="hint">
                from complete file to particles: {duration(s.latency_s)} (median)
              </p>
            )}
            <p className="hint">
              {Object.entries(s.devices)
                .map(([device, state]) => `${device}: ${state}`)
                .join(" · ")}
            </p>
            {s.classes.state && s.classes.state !== "none" && (
              <p className="hint">
                2D classes: {s.classes.state}, {s.classes.updates} updates
                {s.classes.chosen?.length ? `, ${s.classes.chosen.length} chosen` : ""}
              </p>
            )}
            {s.problems.map(each => (
              <p key={each} className="bad">
                {each}
              </p>
            ))}
          </div>
          <NotTaken session={session} />
        </div>
      )}
    </section>
  );
}

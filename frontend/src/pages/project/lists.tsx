// RELION's left side: job types for a new job, then Running, Scheduled and Finished jobs.
import { useEffect, useState } from "react";
import { post } from "../../api/http";
import { useProject } from "../../context";
import { attempt, link, useData, usePersisted } from "../../hooks";
import { shownState } from "./rounds";
import type { JobRow, JobType } from "../../api/types";
import { shownName } from "../../ui/words";

export function Lists({ chosen, type }: { chosen: string; type: string }) {
  const { pid, jobs, mayChange } = useProject();
  const types = useData<JobType[]>(`p/${pid}/types`);
  const [order, setOrder] = usePersisted<"time" | "name">("order", "time");
  const [dragged, setDragged] = useState("");
  useEffect(() => {
    const changed = (event: Event) => setOrder((event as CustomEvent).detail);
    window.addEventListener("verglas-order", changed);
    return () => window.removeEventListener("verglas-order", changed);
  });
  const all = jobs.data?.jobs ?? [];
  const of = (title: string) => {
    const found = all.filter(job => job.list === title);
    if (title !== "Finished") return found;
    return order === "name"
      ? [...found].sort((a, b) => shownName(a).localeCompare(shownName(b)))
      : [...found].reverse();
  };
  const drop = (target: string) => {
    const names = of("Scheduled")
      .map(job => job.name)
      .filter(name => name !== dragged);
    names.splice(names.indexOf(target), 0, dragged);
    setDragged("");
    void attempt(post(`p/${pid}/reorder`, { names }));
  };
  return (
    <aside className="lists">
      <section className="types">
        <h2>New job</h2>
        <div>
          {types.data?.map(each => (
            <a
              key={each.folder}
              href={link(pid, "project", { type: each.folder })}
              aria-current={type === each.folder && !chosen ? "true" : undefined}
            >
              {each.title}
            </a>
          ))}
        </div>
      </section>
      {["Running", "Scheduled", "Finished"].map(title => (
        <section key={title}>
          <h2>
            {title} jobs {of(title).length > 0 && <small>{of(title).length}</small>}
          </h2>
          <div>
            {of(title).map(job => (
              <JobLink
                key={job.name}
                job={job}
                chosen={job.name === chosen}
                pid={pid}
                drag={
                  title === "Scheduled" && mayChange
                    ? { start: () => setDragged(job.name), drop: () => drop(job.name) }
                    : undefined
                }
              />
            ))}
            {of(title).length === 0 && (
              <p className="hint">
                {title === "Scheduled"
                  ? "press Schedule in a form"
                  : title === "Running"
                    ? "nothing runs now"
                    : "none yet"}
              </p>
            )}
          </div>
        </section>
      ))}
    </aside>
  );
}

function JobLink({
  job,
  chosen,
  pid,
  drag,
}: {
  job: JobRow;
  chosen: boolean;
  pid: string;
  drag?: { start: () => void; drop: () => void };
}) {
  const state = shownState(job),
    round = job.list === "Finished" ? job.last_round : null;
  return (
    <a
      href={link(pid, "project", { job: job.name })}
      aria-current={chosen ? "true" : undefined}
      className={/failed|aborted/.test(state.className) ? state.className : ""}
      title={job.reason || `${job.name} ${state.text}`}
      draggable={Boolean(drag)}
      onDragStart={drag?.start}
      onDragOver={event => drag && event.preventDefault()}
      onDrop={event => {
        event.preventDefault();
        drag?.drop();
      }}
    >
      <span className={`state ${state.className}`} aria-label={state.text}>
        {state.sign}
      </span>{" "}
      <span>{shownName(job)}</span>
      {round && job.status === "Scheduled" && <small> round {round.round}</small>}
      {job.bar && job.bar.fraction < 1 && (
        <i className="mini-bar">
          <i style={{ width: `${job.bar.fraction * 100}%` }} />
        </i>
      )}
    </a>
  );
}

// The project: lists at the left, graph and log in the middle, the chosen job or a new form at the right.
import { lazy, Suspense, useState } from "react";
import { useProject } from "../../context";
import { go, link, useData, useRoute } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Empty, Loading, Problem } from "../../ui/parts";
import type { Form } from "../../api/types";
import { ScheduleStrip } from "./schedules";
import { JobForm } from "./form";
import { JobPanel } from "./jobs/panel";
import { Lists } from "./lists";
import { LogView } from "./log";
import "./project.css";

const JobGraph = lazy(() => import("./graph").then(m => ({ default: m.JobGraph })));

export function ProjectPage() {
  const { pid, jobs } = useProject();
  const { query } = useRoute();
  const chosen = query.get("job") ?? "";
  const type = query.get("type") ?? "";
  const known = jobs.data?.jobs.some(job => job.name === chosen);
  return (
    <div className={chosen || type ? "project open" : "project"}>
      <Lists chosen={chosen} type={type} />
      <div className="middle">
        <ScheduleStrip />
        <section className="graph" aria-label="job graph">
          {jobs.error && <Problem text={jobs.error} retry={jobs.reload} />}
          {jobs.loading && <Loading />}
          {jobs.data?.jobs.length === 0 && (
            <Empty title="No jobs yet.">
              Choose a job type at the left. A chain can be built before its first movie is there:
              Schedule each job, then Autorun.
            </Empty>
          )}
          {jobs.data && jobs.data.jobs.length > 0 && (
            <Boundary what="The graph">
              <Suspense fallback={<Loading />}>
                <JobGraph
                  jobs={jobs.data}
                  chosen={chosen}
                  choose={name => go(link(pid, "project", { job: name }))}
                />
              </Suspense>
            </Boundary>
          )}
        </section>
        {chosen && known ? (
          <LogView key={chosen} job={chosen} />
        ) : (
          <section className="log-view">
            <div className="log">
              <p className="hint">Choose a job to see what it writes.</p>
            </div>
          </section>
        )}
      </div>
      <div className="right">
        {chosen ? (
          <Boundary key={chosen} what="This job">
            <JobPanel name={chosen} />
          </Boundary>
        ) : type ? (
          <NewJob key={type} type={type} />
        ) : (
          <Start />
        )}
      </div>
    </div>
  );
}

function NewJob({ type }: { type: string }) {
  const { pid } = useProject();
  const form = useData<Form>(`p/${pid}/types/${type}/form`);
  const [extra] = useState(() => prefill(type));
  if (form.error) return <Problem text={form.error} retry={form.reload} />;
  if (!form.data) return <Loading />;
  const values = { ...form.data.values, ...extra };
  return (
    <div className="job-panel">
      <header>
        <h2>{form.data.title}</h2>
        <span className="hint">
          a new job{form.data.incremental ? "; a repeat takes only what is new" : ""}
        </span>
      </header>
      <JobForm type={type} tabs={form.data.tabs} start={values} />
    </div>
  );
}

/** Values another page handed over (templates from the class gallery). */
function prefill(type: string): Record<string, string> {
  try {
    const found = JSON.parse(sessionStorage.getItem("verglas.prefill") ?? "{}");
    sessionStorage.removeItem("verglas.prefill");
    return found.type === type ? found.values : {};
  } catch {
    return {};
  }
}

function Start() {
  const { jobs, title } = useProject();
  const all = jobs.data?.jobs ?? [];
  return (
    <div className="job-panel start">
      <header>
        <h2>{title}</h2>
      </header>
      <p>
        {all.length === 0
          ? "Begin with Import: it lists your movies."
          : "Choose a job in the graph or in the lists, or a type for a new one."}
      </p>
      <ol className="hint">
        <li>
          Fill in a form and press <b>Run</b>, or <b>Schedule</b> to run it later.
        </li>
        <li>
          What a scheduled job will make can be chosen at once as the next job's input, with{" "}
          <b>Browse</b>.
        </li>
        <li>
          <b>Autorun</b>, top left, runs the scheduled jobs: once, or again and again while movies
          arrive.
        </li>
      </ol>
      <p className="hint">
        Keys: <kbd>?</kbd>
      </p>
    </div>
  );
}

// One job at the right: its state and why, its results, inputs and outputs, what can be done to it, its form.
import { useState } from "react";
import { post } from "../../../api/http";
import type { Job } from "../../../api/types";
import { useProject } from "../../../context";
import { attempt, go, link, tell, useData, useKeys } from "../../../hooks";
import { Boundary } from "../../../ui/boundary";
import { Menu } from "../../../ui/menu";
import { Loading, Problem, ProgressBar } from "../../../ui/parts";
import { shownName, viewerOf } from "../../../ui/words";
import { JobForm } from "../form";
import { Results } from "../results/results";
import { shownState } from "../rounds";
import { AliasDialog, Consequences, NoteDialog } from "./dialogs";
import { FileList, NodeList } from "./nodes";

/** What moves a scheduled job up and down in the list; undefined where it cannot move. */
function useMoves(name: string) {
  const { pid, jobs, mayChange } = useProject();
  const scheduled =
    jobs.data?.jobs.filter(each => each.list === "Scheduled").map(each => each.name) ?? [];
  const move = (step: number) => {
    const at = scheduled.indexOf(name),
      names = scheduled.filter(each => each !== name);
    if (!mayChange || at < 0 || at + step < 0 || at + step >= scheduled.length) return undefined;
    names.splice(at + step, 0, name);
    return () => void attempt(post(`p/${pid}/reorder`, { names })).then(jobs.reload);
  };
  return { up: move(-1), down: move(1) };
}

export function JobPanel({ name }: { name: string }) {
  const { pid, mayChange, jobs } = useProject();
  const [folder, number] = name.split("/");
  const path = `p/${pid}/jobs/${folder}/${number}`;
  const { data: job, error, reload } = useData<Job>(path);
  const [dialog, setDialog] = useState("");
  const ask = (body: Record<string, unknown>) => post(`${path}/action`, body).then(reload);
  const act = (body: Record<string, unknown>, done: string) => void attempt(ask(body), done);
  const { up, down } = useMoves(name);
  const display = () => {
    const out = job?.outputs.find(each => each.exists);
    if (out) go(viewerOf(pid, out));
  };
  useKeys({
    "alt+ArrowUp": up,
    "alt+ArrowDown": down,
    "alt+e": () => setDialog("note"),
    "alt+d": display,
  });
  if (error && !job) return <Problem text={error} retry={reload} />;
  if (!job) return <Loading />;
  const running = job.list === "Running",
    off = !mayChange,
    dirty = off || job.status !== "Succeeded";
  const row = jobs.data?.jobs.find(each => each.name === name);
  const state = row ? shownState(row) : { sign: "?", className: "", text: job.status };
  return (
    <div className="job-panel">
      <header>
        <h2>
          <span className={`state ${state.className}`} aria-label={state.text} title={state.text}>
            {state.sign}
          </span>{" "}
          {shownName(job)}
        </h2>
        <span className="hint">
          {job.title}
          {job.alias !== "None" && ` · ${job.name.replace(/\/$/, "")}`} · {state.text.toLowerCase()}
        </span>
        <span className="grow" />
        <Menu
          title="Job actions ▾"
          entries={[
            { text: "Edit note", key: "Alt-E", act: () => setDialog("note") },
            { text: "Alias", act: () => setDialog("alias"), off },
            { text: "Move up", key: "Alt-↑", act: up },
            { text: "Move down", key: "Alt-↓", act: down },
            {
              text: "Abort running",
              act: () => act({ action: "abort" }, "asked to stop"),
              off: off || !running,
              bad: true,
            },
            {
              text: "End at once (kill)",
              act: () => act({ action: "kill" }, "ended"),
              off: off || !running,
              bad: true,
            },
            {
              text: "Mark as finished",
              act: () => act({ action: "mark", text: "finished" }, "marked as finished"),
              off,
            },
            {
              text: "Mark as failed",
              act: () => act({ action: "mark", text: "failed" }, "marked as failed"),
              off,
            },
            { text: "Gentle clean", act: () => setDialog("gentle"), off: dirty },
            { text: "Harsh clean", act: () => setDialog("harsh"), off: dirty },
            { text: "Delete", act: () => setDialog("delete"), off: off || running, bad: true },
          ]}
        />
      </header>
      {job.reason && (
        <p className={job.status === "Failed" ? "reason bad" : "reason"}>{job.reason}</p>
      )}
      {job.bar && running && (
        <div className="now">
          <span>{job.bar.title}</span>
          <ProgressBar bar={job.bar} />
        </div>
      )}
      <Boundary what="The results">
        <Results path={path} job={job} />
      </Boundary>
      <div className="nodes">
        <NodeList title="Input" nodes={job.inputs} job={job} />
        <NodeList title="Output" nodes={job.outputs} job={job} />
      </div>
      {job.unknown && (
        <p className="hint">{job.unknown}. It can be looked at, noted and deleted here.</p>
      )}
      <JobForm
        key={job.name + job.list + JSON.stringify(job.values)}
        type={job.type ?? ""}
        tabs={job.tabs}
        start={job.values}
        job={job}
      />
      <FileList job={job} />
      {dialog === "note" && <NoteDialog job={job} act={ask} close={() => setDialog("")} />}
      {dialog === "alias" && <AliasDialog job={job} act={ask} close={() => setDialog("")} />}
      {["delete", "gentle", "harsh"].includes(dialog) && (
        <Consequences
          path={path}
          what={dialog}
          close={() => setDialog("")}
          act={async () => {
            const clean = dialog !== "delete";
            await ask(
              clean ? { action: "clean", harsh: dialog === "harsh" } : { action: "delete" },
            );
            tell(clean ? "cleaned" : "moved to Trash");
            if (!clean) go(link(pid, "project"));
          }}
        />
      )}
    </div>
  );
}

// One job at the right: its state and why, inputs and outputs, what a person can do to it, its form.
import { useEffect, useState } from "react";
import { get, post } from "../../api";
import { useProject } from "../../context";
import { attempt, go, link, useData, useKeys } from "../../hooks";
import { Ask, Dialog, Loading, Menu, Problem, ProgressBar, State } from "../../parts";
import type { Job } from "../../types";
import { baseName, shownName, viewerOf } from "../../words";
import { JobForm } from "./form";
import { Iterations } from "./iterations";

export function JobPanel({ name }: { name: string }) {
  const { pid, watch, mayChange, jobs } = useProject();
  const [folder, number] = name.split("/");
  const path = `p/${pid}/jobs/${folder}/${number}`;
  const { data: job, error, reload } = useData<Job>(path, {}, watch.version);
  const [dialog, setDialog] = useState("");
  const act = (body: Record<string, unknown>, done: string) =>
    attempt(post(`${path}/action`, body), done).then(reload);
  const finished = job?.status === "Succeeded";
  const display = () => {
    const out = job?.outputs.find(each => each.exists);
    if (out) go(viewerOf(pid, out));
  };
  const scheduled =
    jobs.data?.jobs.filter(each => each.list === "Scheduled").map(each => each.name) ?? [];
  const move = (step: number) => {
    const at = scheduled.indexOf(name),
      names = scheduled.filter(each => each !== name);
    if (!mayChange || at < 0 || at + step < 0 || at + step >= scheduled.length) return undefined;
    names.splice(at + step, 0, name);
    return () => void attempt(post(`p/${pid}/reorder`, { names })).then(jobs.reload);
  };
  const up = move(-1),
    down = move(1);
  useKeys({
    "alt+ArrowUp": up,
    "alt+ArrowDown": down,
    "alt+e": () => setDialog("note"),
    "alt+d": display,
  });
  if (error && !job) return <Problem text={error} retry={reload} />;
  if (!job) return <Loading />;
  return (
    <div className="job-panel">
      <header>
        <h2>
          <State of={job.status} /> {shownName(job)}
        </h2>
        <span className="hint">
          {job.title}
          {job.alias !== "None" && ` · ${job.name.replace(/\/$/, "")}`} · {job.status.toLowerCase()}
        </span>
        <span className="grow" />
        <Menu
          title="Job actions ▾"
          entries={[
            { text: "Edit note", key: "Alt-E", act: () => setDialog("note") },
            { text: "Alias", act: () => setDialog("alias"), off: !mayChange },
            { text: "Move up", key: "Alt-↑", act: up },
            { text: "Move down", key: "Alt-↓", act: down },
            {
              text: "Abort running",
              act: () => void act({ action: "abort" }, "asked to stop"),
              off: !mayChange || job.list !== "Running",
              bad: true,
            },
            {
              text: "End at once (kill)",
              act: () => void act({ action: "kill" }, "ended"),
              off: !mayChange || job.list !== "Running",
              bad: true,
            },
            {
              text: "Mark as finished",
              act: () => void act({ action: "mark", text: "finished" }, "marked as finished"),
              off: !mayChange,
            },
            {
              text: "Mark as failed",
              act: () => void act({ action: "mark", text: "failed" }, "marked as failed"),
              off: !mayChange,
            },
            { text: "Gentle clean", act: () => setDialog("gentle"), off: !mayChange || !finished },
            { text: "Harsh clean", act: () => setDialog("harsh"), off: !mayChange || !finished },
            {
              text: "Delete",
              act: () => setDialog("delete"),
              off: !mayChange || job.list === "Running",
              bad: true,
            },
          ]}
        />
      </header>
      {job.reason && (
        <p className={job.status === "Failed" ? "reason bad" : "reason"}>{job.reason}</p>
      )}
      {job.bar && job.list === "Running" && (
        <div className="now">
          <span>{job.bar.title}</span>
          <ProgressBar bar={job.bar} />
        </div>
      )}
      {job.page && <Iterations path={path} job={job} page={job.page} />}
      <div className="nodes">
        <NodeList title="Input" nodes={job.inputs} />
        <NodeList title="Output" nodes={job.outputs} />
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
      {job.files.length > 0 && (
        <details className="files">
          <summary>Files ({job.files.length})</summary>
          {job.files.map(file => (
            <a
              key={file}
              href={
                file.endsWith(".star")
                  ? link(pid, "tables", { path: job.name + file })
                  : `api/p/${pid}/file?path=${encodeURIComponent(job.name + file)}`
              }
              target={file.endsWith(".star") ? undefined : "_blank"}
            >
              {file}
            </a>
          ))}
        </details>
      )}
      {dialog === "note" && (
        <NoteDialog
          job={job}
          save={text => void act({ action: "note", text }, "note saved")}
          close={() => setDialog("")}
        />
      )}
      {dialog === "alias" && (
        <AliasDialog
          job={job}
          save={text => void act({ action: "alias", text }, "renamed")}
          close={() => setDialog("")}
        />
      )}
      {["delete", "gentle", "harsh"].includes(dialog) && (
        <Consequences
          path={path}
          what={dialog}
          close={() => setDialog("")}
          act={async () => {
            if (dialog === "delete") {
              await act({ action: "delete" }, "moved to Trash");
              go(link(pid, "project"));
            } else await act({ action: "clean", harsh: dialog === "harsh" }, "cleaned");
          }}
        />
      )}
    </div>
  );

  /** Whether a job that is to make a file is still to run (or to end). */
  function comes(maker: string) {
    return jobs.data?.jobs.some(each => each.name === maker && each.list !== "Finished");
  }

  function NodeList({ title, nodes }: { title: string; nodes: Job["inputs"] }) {
    return (
      <div>
        <h3>{title}</h3>
        {nodes.map(node => (
          <span
            key={node.name}
            className={node.exists ? "node" : "node expected"}
            title={`${node.name} (${node.type})`}
          >
            {node.exists ? (
              <a href={viewerOf(pid, node)}>{baseName(node.name)}</a>
            ) : (
              <>
                {baseName(node.name)}{" "}
                <em>
                  {comes(title === "Input" ? node.producer : job!.name) ? "expected" : "missing"}
                </em>
              </>
            )}
            {title === "Input" && node.producer && (
              <a className="from" href={link(pid, "project", { job: node.producer })}>
                {node.producer.replace(/\/$/, "")}
              </a>
            )}
          </span>
        ))}
        {nodes.length === 0 && <span className="hint">none</span>}
      </div>
    );
  }
}

function NoteDialog({
  job,
  save,
  close,
}: {
  job: Job;
  save: (text: string) => void;
  close: () => void;
}) {
  const [text, setText] = useState(job.note);
  const { mayChange } = useProject();
  return (
    <Dialog title={`Note of ${shownName(job)}`} close={close} wide>
      <textarea
        className="note"
        value={text}
        readOnly={!mayChange}
        onChange={event => setText(event.target.value)}
        autoFocus
      />
      <footer>
        <button onClick={close}>Close</button>
        <button
          className="main"
          disabled={!mayChange || text === job.note}
          onClick={() => {
            save(text);
            close();
          }}
        >
          Save
        </button>
      </footer>
    </Dialog>
  );
}

function AliasDialog({
  job,
  save,
  close,
}: {
  job: Job;
  save: (text: string) => void;
  close: () => void;
}) {
  const [text, setText] = useState(job.alias === "None" ? "" : shownName(job).split("/")[1]);
  return (
    <Dialog title="Alias" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          save(text);
          close();
        }}
      >
        <div className="dialog-body">
          <label className="row">
            {job.folder}/{" "}
            <input value={text} autoFocus onChange={event => setText(event.target.value)} />
          </label>
          <p className="hint">Empty takes the alias away.</p>
        </div>
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button className="main">Save</button>
        </footer>
      </form>
    </Dialog>
  );
}

function Consequences({
  path,
  what,
  act,
  close,
}: {
  path: string;
  what: string;
  act: () => void;
  close: () => void;
}) {
  const [text, setText] = useState("…");
  useEffect(() => {
    void attempt(
      get<{ jobs?: string[]; count?: number }>(`${path}/consequences`, {
        action: what === "delete" ? "delete" : "clean",
        harsh: what === "harsh",
      }),
    ).then(found => {
      if (!found) return;
      setText(
        found.jobs
          ? `To Trash: ${found.jobs.join(", ")}`
          : `${found.count} files move to Trash.${what === "harsh" ? " An empty file NO_HARSH_CLEAN in its directory protects a job." : ""}`,
      );
    });
  }, [path, what]);
  return (
    <Ask
      title={what === "delete" ? "Delete" : what === "harsh" ? "Harsh clean" : "Gentle clean"}
      text={text}
      yes="Move to Trash"
      act={act}
      close={close}
    />
  );
}

// The job form: tabs, fields, what is wrong, what the job would be called from a terminal; Run, Schedule, Continue.
import { useCallback, useState } from "react";
import { post } from "../../api/http";
import type { Checked, Job, Tab, Values } from "../../api/types";
import { useProject } from "../../context";
import { go, link, tell, useKeys } from "../../hooks";
import { DialogError } from "../../ui/dialog";
import { Tabs } from "../../ui/tabs";
import { useChecked } from "./checked";
import { Field } from "./field";

interface Props {
  type: string;
  tabs: Tab[];
  start: Values;
  job?: Job;
}

/** Asks for a job to be run, scheduled or changed; what was refused stands at the form until it is asked again. */
function useActs(type: string, job: Job | undefined, values: Values, done: () => void) {
  const { pid, jobs } = useProject();
  const [busy, setBusy] = useState("");
  const [error, setError] = useState("");
  const act = async (action: string) => {
    setBusy(action);
    setError("");
    try {
      const made = await post<{ name: string }>(`p/${pid}/jobs`, {
        type: job ? "" : type,
        job: job?.name ?? "",
        values,
        action,
      });
      done();
      const scheduled = action === "schedule" || action === "edit";
      tell(`${made.name} is ${scheduled ? "scheduled" : "running"}`);
      jobs.reload();
      go(link(pid, "project", { job: made.name }));
    } catch (reason) {
      setError((reason as Error).message);
    }
    setBusy("");
  };
  return { act, busy, error };
}

export function JobForm({ type, tabs, start, job }: Props) {
  const { mayChange } = useProject();
  const [values, setValues] = useState(start);
  const [overwrite, setOverwrite] = useState(false);
  const [touched, setTouched] = useState(false);
  const change = useCallback((key: string, text: string) => {
    setTouched(true);
    setValues(old => ({ ...old, [key]: text }));
  }, []);
  const scheduled = job?.list === "Scheduled" || job?.status === "Scheduled",
    running = job?.list === "Running",
    isContinue = Boolean(job) && !scheduled && !overwrite;
  const { checked, error } = useChecked(type, job?.name ?? "", values, isContinue);
  const { act, busy, error: refused } = useActs(type, job, values, () => setTouched(false));
  const wrong = checked ? Object.keys(checked.problems).length + checked.complaints.length : 0;
  const cannot = !mayChange || busy !== "" || running || wrong > 0;
  const missing = checked?.missing ?? [];
  const first = job ? (scheduled ? "run" : overwrite ? "overwrite" : "continue") : "run";
  const firstText = {
    run: scheduled ? "Run now" : "Run",
    continue: job?.incremental ? "Continue (only what is new)" : "Continue",
    overwrite: "Run again from scratch",
  }[first]!;
  useKeys({
    "alt+o": () => setOverwrite(!overwrite),
    "alt+s": mayChange && (scheduled || !job) ? () => void act("schedule") : undefined,
    "alt+l": () => {
      setValues(start);
      setTouched(false);
      tell("settings as stored");
    },
  });
  if (!tabs.length) return null;
  return (
    <form
      className="job-form"
      onSubmit={event => {
        event.preventDefault();
        if (!cannot) void act(first);
      }}
    >
      <FormTabs
        {...{ tabs, values, change, checked, job, isContinue }}
        off={!mayChange || running}
      />
      <Complaints checked={checked} touched={touched} />
      <DialogError text={refused || error} />
      <div className="actions">
        {job && !scheduled && (
          <label className="check">
            <input
              type="checkbox"
              checked={overwrite}
              disabled={running}
              onChange={event => setOverwrite(event.target.checked)}
            />{" "}
            overwrite
          </label>
        )}
        <span className="grow" />
        {(!job || scheduled) && (
          <button type="button" disabled={cannot} onClick={() => void act("schedule")}>
            {scheduled ? "Schedule (store)" : "Schedule"}
          </button>
        )}
        <button
          className="main"
          disabled={cannot || missing.length > 0}
          title={missing.length ? "its inputs are not there yet" : ""}
        >
          {running ? "running …" : busy === first ? "…" : firstText}
        </button>
      </div>
      {checked && <Told checked={checked} isNew={!job} />}
    </form>
  );
}

function FormTabs({
  tabs,
  values,
  change,
  checked,
  job,
  isContinue,
  off,
}: {
  tabs: Tab[];
  values: Values;
  change: (key: string, text: string) => void;
  checked: Checked | null;
  job?: Job;
  isContinue: boolean;
  off: boolean;
}) {
  const [title, setTitle] = useState(tabs[0].title);
  const shown = tabs.find(each => each.title === title) ?? tabs[0];
  const problems = (each: Tab) => each.fields.filter(field => checked?.problems[field.key]).length;
  const greyed = (key: string, rule: string) =>
    (isContinue && rule === "locked") ||
    (!job && rule === "only") ||
    checked?.active[key] === false;
  return (
    <Tabs
      value={shown.title}
      choose={setTitle}
      tabs={tabs.map(each => ({
        key: each.title,
        title: each.title,
        extra: problems(each) > 0 && <b className="count-bad">{problems(each)}</b>,
      }))}
    >
      <div className="fields">
        {shown.fields.map(field => (
          <Field
            key={field.key}
            field={field}
            value={values[field.key] ?? field.default}
            change={change}
            problem={checked?.problems[field.key]}
            warning={checked?.warnings[field.key]}
            off={off || (isContinue && field.on_continue === "locked")}
            greyed={greyed(field.key, field.on_continue)}
          />
        ))}
      </div>
    </Tabs>
  );
}

function Complaints({ checked, touched }: { checked: Checked | null; touched: boolean }) {
  const complaints = checked?.complaints ?? [],
    missing = checked?.missing ?? [];
  return (
    <>
      {complaints.length > 0 &&
        (touched ? (
          <ul className="complaints" role="alert">
            {complaints.map(text => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        ) : (
          <p className="hint">{complaints.join("; ")}</p>
        ))}
      {missing.length > 0 && (
        <p className="hint">
          {missing.length === 1 ? "An input is" : `${missing.length} inputs are`} not there yet (
          {missing.join(", ")}): Schedule it, and it runs when its turn comes.
        </p>
      )}
    </>
  );
}

/** The command a form stands for, and what it would make. */
function Told({ checked, isNew }: { checked: Checked; isNew: boolean }) {
  return (
    <>
      {checked.command && (
        <details className="command" open={isNew}>
          <summary>Command</summary>
          <code>{checked.command}</code>
          <button
            type="button"
            className="plain"
            onClick={() => {
              void navigator.clipboard?.writeText(checked.command);
              tell("copied");
            }}
          >
            copy
          </button>
        </details>
      )}
      {isNew && checked.outputs.length > 0 && (
        <details className="command">
          <summary>Expected outputs</summary>
          <code>{checked.outputs.map(each => each.name).join("\n")}</code>
        </details>
      )}
    </>
  );
}

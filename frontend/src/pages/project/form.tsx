// The job form: tabs, fields, what is wrong, what the job would be called from a terminal; Run, Schedule, Continue.
import { useCallback, useEffect, useMemo, useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { attempt, go, link, tell, useKeys } from "../../hooks";
import type { Checked, Job, Tab, Values } from "../../types";
import { Field } from "./field";

interface Props {
  type: string;
  tabs: Tab[];
  start: Values;
  job?: Job;
}

export function JobForm({ type, tabs, start, job }: Props) {
  const { pid, mayChange, jobs } = useProject();
  const [values, setValues] = useState(start);
  const [tab, setTab] = useState(0);
  const [checked, setChecked] = useState<Checked | null>(null);
  const [overwrite, setOverwrite] = useState(false);
  const [busy, setBusy] = useState(false);
  const [touched, setTouched] = useState(false);
  const change = useCallback((key: string, text: string) => {
    setTouched(true);
    setValues(old => ({ ...old, [key]: text }));
  }, []);
  const scheduled = job?.list === "Scheduled";
  const running = job?.list === "Running";
  const isContinue = Boolean(job) && !scheduled && !overwrite;
  useEffect(() => {
    const timer = setTimeout(() => {
      post<Checked>(`p/${pid}/check`, {
        type: job ? "" : type,
        job: job?.name ?? "",
        values,
        is_continue: isContinue,
      }).then(setChecked, error => tell(error.message, true));
    }, 200);
    return () => clearTimeout(timer);
  }, [values, pid, type, job?.name, isContinue]); // eslint-disable-line
  const act = async (action: string) => {
    setBusy(true);
    const made = await attempt(
      post<{ name: string }>(`p/${pid}/jobs`, {
        type: job ? "" : type,
        job: job?.name ?? "",
        values,
        action,
      }),
    );
    setBusy(false);
    if (!made) return;
    setTouched(false);
    tell(
      action === "schedule" || action === "edit"
        ? `${made.name} is scheduled`
        : `${made.name} is running`,
    );
    jobs.reload();
    go(link(pid, "project", { job: made.name }));
  };
  const wrong = checked ? Object.keys(checked.problems).length + checked.complaints.length : 0;
  const cannot = !mayChange || busy || running || wrong > 0;
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
  const greyed = useMemo(
    () => (key: string, rule: string) =>
      (isContinue && rule === "locked") ||
      (!job && rule === "only") ||
      (checked !== null && checked.active[key] === false),
    [isContinue, job, checked],
  );
  const problemsIn = (each: Tab) =>
    each.fields.filter(field => checked?.problems[field.key]).length;
  if (!tabs.length) return null;
  return (
    <form
      className="job-form"
      onSubmit={event => {
        event.preventDefault();
        if (!cannot) void act(first);
      }}
    >
      <div className="tabs" role="tablist">
        {tabs.map((each, index) => (
          <button
            type="button"
            key={each.title}
            role="tab"
            aria-selected={tab === index}
            onClick={() => setTab(index)}
          >
            {each.title}
            {problemsIn(each) > 0 && <b className="count-bad">{problemsIn(each)}</b>}
          </button>
        ))}
      </div>
      <div className="fields" role="tabpanel">
        {tabs[Math.min(tab, tabs.length - 1)].fields.map(field => (
          <Field
            key={field.key}
            field={field}
            value={values[field.key] ?? field.default}
            change={change}
            problem={checked?.problems[field.key]}
            warning={checked?.warnings[field.key]}
            off={!mayChange || running || (isContinue && field.on_continue === "locked")}
            greyed={greyed(field.key, field.on_continue)}
          />
        ))}
      </div>
      {checked &&
        checked.complaints.length > 0 &&
        (touched ? (
          <ul className="complaints">
            {checked.complaints.map(text => (
              <li key={text}>{text}</li>
            ))}
          </ul>
        ) : (
          <p className="hint">{checked.complaints.join("; ")}</p>
        ))}
      {missing.length > 0 && (
        <p className="hint">
          {missing.length === 1 ? "An input is" : `${missing.length} inputs are`} not there yet (
          {missing.join(", ")}): Schedule it, and it runs when its turn comes.
        </p>
      )}
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
          {running ? "running …" : firstText}
        </button>
      </div>
      {checked?.command && (
        <details className="command" open={!job}>
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
      {!job && checked && checked.outputs.length > 0 && (
        <details className="command">
          <summary>Expected outputs</summary>
          <code>{checked.outputs.map(each => each.name).join("\n")}</code>
        </details>
      )}
    </form>
  );
}

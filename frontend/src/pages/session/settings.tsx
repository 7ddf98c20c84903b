// Options of the session's stages as fields, what was changed, and Apply to new / all / a range with the cost.
import { useCallback, useEffect, useMemo, useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { attempt, tell, useData } from "../../hooks";
import type { Form, Values } from "../../types";
import { baseName, count, duration } from "../../words";
import { Field } from "../project/field";

export const STAGES: [string, string][] = [
  ["MotionCorr", "Motion"],
  ["CtfFind", "CTF"],
  ["AutoPick", "Picking"],
  ["Extract", "Extraction"],
];
const JOINTS = ["input_star_mics", "fn_input_autopick", "star_mics", "coords_suffix"];
export type StageSettings = Record<
  string,
  { options: Values; changes: { scope: string; values: Values }[] }
>;
interface Cost {
  movies: number;
  stage: string;
  seconds_each: number;
  workers: number;
  session_s: number;
  verdicts: number;
  edited: string[];
}

/** Changed options as the server takes them: "AutoPick.log_diam_max" -> "150". */
export function useChanges(settings: StageSettings | null) {
  const [values, setValues] = useState<Values>({});
  const change = useCallback(
    (stage: string, key: string, text: string) =>
      setValues(old => {
        const next = { ...old, [`${stage}.${key}`]: text };
        if (settings?.[stage]?.options[key] === text) delete next[`${stage}.${key}`];
        return next;
      }),
    [settings],
  );
  return { values, change, clear: () => setValues({}) };
}

export function StageFields({
  settings,
  values,
  change,
  first,
}: {
  settings: StageSettings;
  values: Values;
  change: (stage: string, key: string, text: string) => void;
  first: string;
}) {
  const { pid } = useProject();
  const [stage, setStage] = useState(first);
  const [only, setOnly] = useState("");
  const form = useData<Form>(`p/${pid}/types/${stage}/form`);
  const known = settings[stage]?.options ?? {};
  const now = useMemo(
    () => ({
      ...known,
      ...Object.fromEntries(
        Object.entries(values)
          .filter(([key]) => key.startsWith(`${stage}.`))
          .map(([key, text]) => [key.slice(stage.length + 1), text]),
      ),
    }),
    [known, values, stage],
  );
  const [active, setActive] = useState<Record<string, boolean>>({});
  useEffect(() => {
    // fields without effect for the present choice (another picker's) are left out
    const timer = setTimeout(() => {
      post<{ active: Record<string, boolean> }>(`p/${pid}/check`, {
        type: stage,
        job: "",
        values: now,
        is_continue: false,
      }).then(
        found => setActive(found.active),
        () => setActive({}),
      );
    }, 150);
    return () => clearTimeout(timer);
  }, [now, pid, stage]); // eslint-disable-line
  const set = useCallback((key: string, text: string) => change(stage, key, text), [change, stage]);
  const fields = (form.data?.tabs ?? [])
    .filter(tab => tab.title !== "Running")
    .flatMap(tab => tab.fields)
    .filter(
      field =>
        field.kind !== "node" &&
        !JOINTS.includes(field.key) &&
        active[field.key] !== false &&
        (!only || field.label.toLowerCase().includes(only.toLowerCase())),
    );
  const changedIn = (each: string) =>
    Object.keys(values).filter(key => key.startsWith(`${each}.`)).length;
  return (
    <div className="stage-fields">
      <div className="tabs small" role="tablist">
        {STAGES.filter(([key]) => settings[key]).map(([key, title]) => (
          <button
            type="button"
            key={key}
            role="tab"
            aria-selected={stage === key}
            onClick={() => setStage(key)}
          >
            {title}
            {changedIn(key) > 0 && <b className="count-changed">{changedIn(key)}</b>}
          </button>
        ))}
      </div>
      <input
        value={only}
        onChange={event => setOnly(event.target.value)}
        placeholder="find an option"
        aria-label="find an option"
      />
      <div className="fields">
        {fields.map(field => {
          const changed = `${stage}.${field.key}` in values;
          return (
            <div key={field.key} className={changed ? "changed" : ""}>
              <Field
                field={field}
                value={now[field.key] ?? field.default}
                off={false}
                greyed={false}
                change={set}
                warning={changed ? `now ${known[field.key] || "empty"}` : undefined}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** Apply to: new movies, all, or a range; what it would cost is said before. */
export function ApplyBar({
  session,
  values,
  ready,
  done,
  busy,
}: {
  session: string;
  values: Values;
  ready: boolean;
  done: () => void;
  busy: boolean;
}) {
  const { pid, mayChange } = useProject();
  const [scope, setScope] = useState("new");
  const [range, setRange] = useState<[string, string]>(["", ""]);
  const [cost, setCost] = useState<Cost | null>(null);
  const [problem, setProblem] = useState("");
  const wanted = scope === "range" ? `${range[0]}-${range[1]}` : scope;
  const known = Object.keys(values).length > 0 && /^(new|all|\d+-\d+)$/.test(wanted);
  useEffect(() => {
    setCost(null);
    setProblem("");
    if (!known) return;
    const timer = setTimeout(() => {
      post<Cost>(`p/${pid}/live/${session}/cost`, { values, scope: wanted }).then(setCost, error =>
        setProblem(error.message),
      );
    }, 200);
    return () => clearTimeout(timer);
  }, [pid, session, values, wanted, known]);
  const apply = () =>
    void attempt(
      post<{ lines: string[] }>(`p/${pid}/live/set`, { session, values, scope: wanted }),
    ).then(found => {
      if (found) {
        tell(found.lines[found.lines.length - 1] ?? "applied");
        done();
      }
    });
  return (
    <div className="apply-bar">
      <fieldset className="scope">
        <legend>Apply to</legend>
        {[
          ["new", "new movies"],
          ["all", "all"],
          ["range", "a range"],
        ].map(([key, text]) => (
          <label key={key} className="check">
            <input
              type="radio"
              name="scope"
              checked={scope === key}
              onChange={() => setScope(key)}
            />{" "}
            {text}
          </label>
        ))}
        {scope === "range" && (
          <span className="range-of">
            movies{" "}
            <input
              value={range[0]}
              inputMode="numeric"
              aria-label="first movie"
              onChange={event => setRange([event.target.value.replace(/\D/g, ""), range[1]])}
            />{" "}
            to{" "}
            <input
              value={range[1]}
              inputMode="numeric"
              aria-label="last movie"
              onChange={event => setRange([range[0], event.target.value.replace(/\D/g, "")])}
            />
          </span>
        )}
      </fieldset>
      <p className={problem ? "problem" : "hint"} role="status" data-testid="cost">
        {problem ||
          (!known
            ? "change something first"
            : !cost
              ? "…"
              : cost.movies === 0
                ? "costs nothing: only movies that come from now on are treated so"
                : `${count(cost.movies)} movies are treated again from ${cost.stage} on: ${cost.seconds_each.toFixed(1)} s each, about ${duration(cost.session_s)} with ${cost.workers} worker${cost.workers === 1 ? "" : "s"}${cost.verdicts ? `; ${cost.verdicts} verdicts by hand are kept` : ""}${cost.edited.length ? `; edited picks are kept: ${cost.edited.map(baseName).join(", ")}` : ""}`)}
      </p>
      <button
        type="button"
        className="main"
        disabled={!known || !mayChange || busy || Boolean(problem) || !ready}
        title={ready ? "" : "try it first"}
        onClick={apply}
      >
        Apply
      </button>
    </div>
  );
}

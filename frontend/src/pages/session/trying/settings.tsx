// Options of the session's stages as fields, and what was changed in them.
import { useCallback, useEffect, useMemo, useState } from "react";
import { post } from "../../../api/http";
import { useProject } from "../../../context";
import { useData } from "../../../hooks";
import type { Form, Values } from "../../../api/types";
import { Field } from "../../project/field";

export const STAGES: [string, string][] = [
  ["MotionCorr", "Motion"],
  ["CtfFind", "CTF"],
  ["AutoPick", "Picking"],
  ["Extract", "Extraction"],
];
const NONE: Values = {};
const JOINTS = ["input_star_mics", "fn_input_autopick", "star_mics", "coords_suffix"];
export type StageSettings = Record<
  string,
  { options: Values; changes: { scope: string; values: Values }[] }
>;

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
  const known = settings[stage]?.options ?? NONE;
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
  }, [now, pid, stage]);
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

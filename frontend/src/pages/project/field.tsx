// One field of a form, of one of RELION's kinds: text, yes/no, choice, number with slider, node, file.
import { memo, useState } from "react";
import type { Field as FieldInfo } from "../../api/types";
import { Browse } from "./browse";

interface Props {
  field: FieldInfo;
  value: string;
  off: boolean;
  greyed: boolean;
  problem?: string;
  warning?: string;
  change: (key: string, value: string) => void;
}

export const Field = memo(function Field({
  field,
  value,
  off,
  greyed,
  problem,
  warning,
  change,
}: Props) {
  const [help, setHelp] = useState(false);
  const [browsing, setBrowsing] = useState(false);
  const set = (text: string) => change(field.key, text);
  const id = `field-${field.key}`;
  const slider =
    (field.kind === "number" || field.kind === "whole") &&
    field.minimum !== null &&
    field.maximum !== null &&
    field.maximum > field.minimum;
  return (
    <div
      className={`field${field.kind === "node" || field.kind === "file" || field.kind === "text" ? " long" : ""}${greyed ? " greyed" : ""}${problem ? " wrong" : ""}`}
    >
      <label htmlFor={field.kind === "yesno" ? undefined : id} id={`label-${field.key}`}>
        {field.label.replace(/:$/, "")}
        {field.unit && !field.label.includes("(") && <small> {field.unit}</small>}
      </label>
      <div className="control">
        {field.kind === "yesno" ? (
          <span className="yesno" role="radiogroup" id={id} aria-labelledby={`label-${field.key}`}>
            {["Yes", "No"].map(each => (
              <button
                type="button"
                key={each}
                role="radio"
                aria-checked={value === each}
                disabled={off}
                onClick={() => set(each)}
              >
                {each}
              </button>
            ))}
          </span>
        ) : field.kind === "choice" ? (
          <select id={id} value={value} disabled={off} onChange={event => set(event.target.value)}>
            {field.choices.map(each => (
              <option key={each}>{each}</option>
            ))}
          </select>
        ) : (
          <input
            id={id}
            value={value}
            disabled={off}
            spellCheck={false}
            className={slider || field.kind === "number" || field.kind === "whole" ? "number" : ""}
            inputMode={field.kind === "number" || field.kind === "whole" ? "decimal" : "text"}
            onChange={event => set(event.target.value)}
            aria-invalid={Boolean(problem)}
          />
        )}
        {slider && (
          <input
            type="range"
            tabIndex={-1}
            aria-hidden
            disabled={off}
            min={field.minimum!}
            max={field.maximum!}
            step={field.step ?? "any"}
            value={Number(value) || 0}
            onChange={event => set(event.target.value)}
          />
        )}
        {(field.kind === "node" || field.kind === "file") && (
          <button type="button" disabled={off} onClick={() => setBrowsing(true)}>
            Browse
          </button>
        )}
        {field.help && (
          <button
            type="button"
            className="plain help"
            aria-label={`help on ${field.label}`}
            aria-expanded={help}
            onClick={() => setHelp(!help)}
          >
            ?
          </button>
        )}
      </div>
      {help && (
        <p className="help-text">
          {field.help}
          {slider && ` Usually from ${field.minimum} to ${field.maximum}.`} <code>{field.key}</code>
        </p>
      )}
      {(problem || warning) && <p className={problem ? "problem" : "hint"}>{problem ?? warning}</p>}
      {browsing && (
        <Browse
          field={field}
          choose={text => {
            set(text);
            setBrowsing(false);
          }}
          close={() => setBrowsing(false)}
        />
      )}
    </div>
  );
});

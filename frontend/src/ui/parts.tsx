// Small pieces every page uses: states, bars, what is said while something loads, fails or is empty.
import type { ReactNode } from "react";
import { dismiss, useMessages } from "../hooks";
import type { Bar } from "../api/types";
import { STATES } from "./words";

export function State({ of }: { of: string }) {
  const state = STATES[of] ?? { sign: "?", className: "" };
  return (
    <span className={`state ${state.className}`} title={of} aria-label={of}>
      {state.sign}
    </span>
  );
}

export function Loading({ what = "loading" }: { what?: string }) {
  return (
    <div className="note-box" role="status">
      <span className="spinner" /> {what} …
    </div>
  );
}

export function Problem({ text, retry }: { text: string; retry?: () => void }) {
  return (
    <div className="note-box bad" role="alert">
      <b>That did not work.</b> {text} {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="note-box">
      <b>{title}</b>
      <div>{children}</div>
    </div>
  );
}

export function ProgressBar({ bar }: { bar: Bar }) {
  const percent = Math.round(bar.fraction * 100);
  const time = bar.total ? `${bar.done} of ${bar.total} ${bar.unit}` : "";
  return (
    <span
      className="bar"
      role="progressbar"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-label={bar.title ?? "progress"}
    >
      <span className={`fill${percent >= 100 ? " full" : ""}`} style={{ width: `${percent}%` }} />
      <span className="bar-text">
        {percent} %{time && ` · ${time}`}
      </span>
    </span>
  );
}

export function Messages() {
  return (
    <div className="messages" aria-live="polite">
      {useMessages().map(each => (
        <div key={each.id} className={each.bad ? "bad" : ""} role={each.bad ? "alert" : undefined}>
          <span>{each.text}</span>
          <button className="plain" aria-label="dismiss" onClick={() => dismiss(each.id)}>
            ✕
          </button>
        </div>
      ))}
    </div>
  );
}

// How many good particles somebody wants, and when there will be as many.
import { useState } from "react";
import { put } from "../../api/http";
import { useProject } from "../../context";
import { attempt } from "../../hooks";
import { count, duration } from "../../ui/words";
import type { Health } from "./data";

/** N good particles and the hours to them; a click changes N. */
export function GoalTile({ name, health }: { name: string; health: Health | null }) {
  const { pid, mayChange } = useProject();
  const [editing, setEditing] = useState(false);
  const [shown, setShown] = useState<number | null>(null);
  const goal = shown ?? health?.goal ?? null;
  const save = (text: string) => {
    setEditing(false);
    const wanted = Number(text.replace(/[ ,_]/g, "").replace(/k$/i, "e3").replace(/m$/i, "e6"));
    if (!isFinite(wanted) || wanted < 0) return;
    void attempt(put(`p/${pid}/live/${name}/goal`, { particles: Math.round(wanted) })).then(
      done => {
        if (done) setShown(Math.round(wanted));
      },
    );
  };
  const hours = health?.goal_hours;
  const text = !goal
    ? mayChange
      ? "set a goal"
      : "–"
    : health?.goal_missing === 0
      ? "reached"
      : hours != null
        ? hours < 48
          ? duration(hours * 3600)
          : `${Math.round(hours / 24)} days`
        : count(goal);
  return (
    <span className="tile">
      <small>{goal ? `to ${count(goal)} good particles` : "goal"}</small>
      {editing ? (
        <input
          className="goal"
          defaultValue={goal ?? ""}
          placeholder="200k"
          autoFocus
          aria-label="good particles wanted"
          onBlur={event => save(event.target.value)}
          onKeyDown={event => {
            if (event.key === "Enter") save(event.currentTarget.value);
            if (event.key === "Escape") setEditing(false);
          }}
        />
      ) : mayChange ? (
        <button
          className="plain goal-button"
          onClick={() => setEditing(true)}
          title="how many good particles do you want?"
        >
          {text}
        </button>
      ) : (
        <b>{text}</b>
      )}
    </span>
  );
}

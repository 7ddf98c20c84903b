// Apply to new movies, all, or a range; what it would cost is said before.
import { useEffect, useState } from "react";
import { post } from "../../../api/http";
import type { Cost, Values } from "../../../api/types";
import { useProject } from "../../../context";
import { tell } from "../../../hooks";
import { baseName, count, duration } from "../../../ui/words";

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
    post<{ lines: string[] }>(`p/${pid}/live/set`, { session, values, scope: wanted }).then(
      found => {
        tell(found.lines[found.lines.length - 1] ?? "applied");
        done();
      },
      reason => setProblem((reason as Error).message),
    );
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
        {problem || (known ? (cost ? costs(cost) : "…") : "change something first")}
      </p>
      <button
        type="button"
        className="main"
        disabled={!known || !mayChange || busy || Boolean(problem) || !ready}
        title={ready ? "" : "try it first"}
        onClick={() => void apply()}
      >
        Apply
      </button>
    </div>
  );
}

/** What a change costs, in words. */
function costs(cost: Cost): string {
  if (cost.movies === 0) return "costs nothing: only movies that come from now on are treated so";
  const workers = `${cost.workers} worker${cost.workers === 1 ? "" : "s"}`;
  return [
    `${count(cost.movies)} movies are treated again from ${cost.stage} on: ${cost.seconds_each.toFixed(1)} s each, about ${duration(cost.session_s)} with ${workers}`,
    cost.verdicts > 0 && `${cost.verdicts} verdicts by hand are kept`,
    cost.edited.length > 0 && `edited picks are kept: ${cost.edited.map(baseName).join(", ")}`,
  ]
    .filter(Boolean)
    .join("; ");
}

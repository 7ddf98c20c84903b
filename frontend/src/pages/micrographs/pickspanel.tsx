// Picks: whose, how many, above which figure of merit; editing them by hand.
import { useMemo } from "react";
import type { PickSource } from "../../api/types";
import { useProject } from "../../context";
import { count, number } from "../../ui/words";
import type { Editing } from "./editing";
import type { PickState } from "./picks";

interface Props {
  sources: PickSource[];
  source: string;
  from: PickSource | undefined;
  choose: (node: string) => void;
  picks: PickState;
  editing: Editing;
  minimum: number | null;
  setMinimum: (v: number) => void;
  diameter: number;
  setDiameter: (v: number) => void;
  candidates: boolean;
  setCandidates: (on: boolean) => void;
}

export function PicksPanel(props: Props) {
  const { sources, source, from, picks, minimum, diameter } = props;
  const { editing } = props.editing;
  const { points } = picks;
  const [low, high] = useMemo(() => {
    let low = Infinity,
      high = -Infinity;
    for (const { fom } of points)
      if (fom !== null) [low, high] = [Math.min(low, fom), Math.max(high, fom)];
    return [low, high];
  }, [points]);
  const shown =
    minimum === null || editing
      ? points.length
      : points.filter(p => p.fom === null || p.fom >= minimum).length;
  return (
    <section>
      <h3>Picks</h3>
      {sources.length === 0 ? (
        <p className="hint">No picks yet. Auto-picking makes them; or begin by hand.</p>
      ) : (
        <select
          value={source}
          onChange={event => props.choose(event.target.value)}
          aria-label="picks of"
        >
          {sources.map(each => (
            <option key={each.node} value={each.node}>
              {each.shown.replace(/\/$/, "")}
              {each.editable ? " (by hand)" : ""}
            </option>
          ))}
        </select>
      )}
      <p>
        <b className="big" data-testid="pick-count">
          {count(shown)}
        </b>{" "}
        picks
        {points.length !== shown && <small> of {count(points.length)} candidates</small>}
        {picks.dirty && <em className="dirty"> not saved</em>}
      </p>
      {picks.since && (
        <p className="hint" role="status">
          kept from {new Date(picks.since).toLocaleString()}{" "}
          <button className="plain" onClick={picks.discard}>
            discard
          </button>
        </p>
      )}
      {low < high && !editing && (
        <>
          <label className="slider">
            Figure of merit ≥ {number(minimum ?? low)}
            <input
              type="range"
              min={low}
              max={high}
              step="any"
              value={minimum ?? low}
              onChange={event => props.setMinimum(Number(event.target.value))}
            />
          </label>
          <label className="check">
            <input
              type="checkbox"
              checked={props.candidates}
              onChange={event => props.setCandidates(event.target.checked)}
            />{" "}
            show candidates below it (dashed)
          </label>
        </>
      )}
      <label className="slider">
        Diameter {diameter} Å{" "}
        <input
          type="range"
          min={20}
          max={1000}
          step={5}
          value={diameter}
          onChange={event => props.setDiameter(Number(event.target.value))}
        />
      </label>
      <Buttons editor={props.editing} picks={picks} from={from} source={source} />
    </section>
  );
}

function Buttons({
  editor,
  picks,
  from,
  source,
}: {
  editor: Editing;
  picks: PickState;
  from: PickSource | undefined;
  source: string;
}) {
  const { mayChange } = useProject();
  const { editing } = editor;
  if (!mayChange) return null;
  const begin = from?.editable ? "Edit picks" : source ? "Edit a copy by hand" : "Pick by hand";
  return (
    <>
      <div className="buttons">
        <button className={editing ? "main" : ""} onClick={() => void editor.edit()} title="E">
          {editing ? "Stop editing" : begin}
        </button>
        {editing && (
          <>
            <button disabled={!picks.dirty} onClick={() => void editor.save()} title="Ctrl-S">
              Save
            </button>
            <button onClick={() => void editor.finish()} title="rebuild the lists of this job">
              Finish
            </button>
            <button disabled={!picks.mayUndo} onClick={picks.undo} title="U">
              Undo
            </button>
          </>
        )}
      </div>
      {editing && (
        <p className="hint">
          Left adds; middle or Shift-left drag erases; right opens the menu; drag moves.
        </p>
      )}
    </>
  );
}

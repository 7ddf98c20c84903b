// Which classification and iteration, in which order and how large its classes are shown.
import type { Gallery } from "../../api/types";
import { go, link } from "../../hooks";
import type { Sort } from "./order";

export interface LookOf {
  sort: Sort;
  setSort: (sort: Sort) => void;
  reverse: boolean;
  setReverse: (on: boolean) => void;
  side: number;
  setSide: (pixels: number) => void;
  empty: boolean;
  setEmpty: (on: boolean) => void;
}

export function Toolbar({
  pid,
  model,
  models,
  gallery,
  iteration,
  toIteration,
  look,
  children,
}: {
  pid: string;
  model: string;
  models: string[];
  gallery: Gallery;
  iteration: number;
  toIteration: (n: number) => void;
  look: LookOf;
  children: React.ReactNode;
}) {
  const last = gallery.models[gallery.models.length - 1] ?? model;
  const emptied = gallery.classes.filter(each => each.empty).length;
  return (
    <div className="toolbar">
      <select
        value={last}
        onChange={event => go(link(pid, "classes", { model: event.target.value }))}
        aria-label="classification"
      >
        {models.map(each => (
          <option key={each} value={each}>
            {each.split("/").slice(0, 2).join("/")}
          </option>
        ))}
        {!models.includes(last) && <option value={last}>{last}</option>}
      </select>
      {gallery.models.length > 1 ? (
        <label className="slider inline">
          iteration {gallery.iteration}
          <input
            type="range"
            min={0}
            max={gallery.models.length - 1}
            value={Math.max(0, iteration)}
            onChange={event => toIteration(Number(event.target.value))}
          />
        </label>
      ) : (
        <span className="hint">iteration {gallery.iteration}</span>
      )}
      <label>
        sort by{" "}
        <select value={look.sort} onChange={event => look.setSort(event.target.value as Sort)}>
          <option value="share">size</option>
          <option value="resolution">resolution</option>
          <option value="number">number</option>
        </select>
      </label>
      <button onClick={() => look.setReverse(!look.reverse)} aria-label="reverse order">
        {look.reverse ? "↓" : "↑"}
      </button>
      <label className="slider inline">
        size
        <input
          type="range"
          min={64}
          max={224}
          step={16}
          value={look.side}
          onChange={event => look.setSide(Number(event.target.value))}
        />
      </label>
      {emptied > 0 && (
        <label className="check">
          <input
            type="checkbox"
            checked={look.empty}
            onChange={event => look.setEmpty(event.target.checked)}
          />{" "}
          {emptied} empty
        </label>
      )}
      <span className="grow" />
      {children}
    </div>
  );
}

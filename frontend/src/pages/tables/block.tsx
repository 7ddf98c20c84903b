// One table of a file: its filters and columns, a plot, its rows; a list of values as it stands.
import { useState } from "react";
import type { Block as BlockInfo } from "../../api/types";
import { Problem } from "../../ui/parts";
import { cell, count } from "../../ui/words";
import { ColumnMenu } from "./columns";
import { wellFormed, wrongFilter } from "./filters";
import { ColumnPlot } from "./plot";
import { Rows } from "./rows";
import { useRows } from "./use_rows";
import { useView } from "./view";

export function ListBlock({ block }: { block: BlockInfo }) {
  return (
    <div className="scroll">
      <table className="plain-table">
        <tbody>
          {block.columns.map(each => {
            const text = block.values?.[each.label] ?? "";
            return (
              <tr key={each.label}>
                <th title={each.meaning}>{each.label}</th>
                <td title={text}>{cell(text)}</td>
                <td className="hint">
                  {each.unit} {each.meaning}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

export function Block({ path, block }: { path: string; block: BlockInfo }) {
  const [view, change] = useView(path, block.name);
  const rows = useRows(path, block, view);
  const columns = block.columns.filter(each => !view.hidden.includes(each.label));
  return (
    <>
      <div className="toolbar">
        <FilterField
          block={block}
          add={text => change({ filters: [...view.filters.filter(each => each !== text), text] })}
        />
        {view.filters.map(each => (
          <button
            key={each}
            className="chip"
            onClick={() => change({ filters: view.filters.filter(other => other !== each) })}
            title="remove"
          >
            {each} ✕
          </button>
        ))}
        <span className="grow" />
        <span className="hint" data-testid="rows">
          {rows.passing === block.rows
            ? count(block.rows)
            : `${count(rows.passing)} of ${count(block.rows)}`}{" "}
          rows
        </span>
        <ColumnMenu
          columns={block.columns}
          hidden={view.hidden}
          setHidden={hidden => change({ hidden })}
        />
        <button aria-pressed={view.plot} onClick={() => change({ plot: !view.plot })}>
          Plot
        </button>
      </div>
      {rows.error && <Problem text={rows.error} />}
      {view.plot && <ColumnPlot path={path} block={block} filters={view.filters} />}
      <Rows
        columns={columns}
        all={block.columns}
        rows={rows}
        view={view}
        sortBy={(sort, descending) => change({ sort, descending })}
      />
    </>
  );
}

/** A filter is added only when it is one; what is wrong with it stands below it until it is put right. */
function FilterField({ block, add }: { block: BlockInfo; add: (text: string) => void }) {
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState("");
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        if (!text.trim()) return;
        const found = wrongFilter(text, block.columns);
        setWrong(found);
        if (found) return;
        add(wellFormed(text, block.columns));
        setText("");
      }}
      className="row-tools filter"
    >
      <input
        list="columns"
        value={text}
        onChange={event => {
          setText(event.target.value);
          setWrong("");
        }}
        placeholder="filter: rlnDefocusU > 10000, rlnMicrographName ~ 0001"
        aria-label="filter"
        aria-invalid={Boolean(wrong)}
        aria-describedby={wrong ? "filter-wrong" : undefined}
        className="filter-field"
      />
      <datalist id="columns">
        {block.columns.map(each => (
          <option key={each.label} value={`${each.label} `} />
        ))}
      </datalist>
      <button>Filter</button>
      {wrong && (
        <p id="filter-wrong" className="problem" role="alert">
          {wrong}
        </p>
      )}
    </form>
  );
}

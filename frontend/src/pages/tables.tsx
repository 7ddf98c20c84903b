// Any STAR file: blocks, sorted and filtered rows (only those on screen are fetched), column against column.
import { useEffect, useMemo, useRef, useState } from "react";
import { get } from "../api";
import { useProject } from "../context";
import { go, link, useData, useRoute } from "../hooks";
import { Empty, Loading, Problem } from "../parts";
import { PointPlot } from "../plots";
import type { Block, Offer, Page } from "../types";
import { count } from "../words";

const ROW = 24,
  CHUNK = 200,
  MAX_PIXELS = 8_000_000; // browsers refuse taller elements: beyond, the bar is scaled

export function TablesPage() {
  const { pid, watch } = useProject();
  const { query } = useRoute();
  const nodes = useData<Offer[]>(`p/${pid}/nodes`, {}, watch.version);
  const files = useMemo(
    () =>
      (nodes.data ?? [])
        .filter(each => each.exists && each.name.endsWith(".star"))
        .map(each => each.name)
        .reverse(),
    [nodes.data],
  );
  const path = query.get("path") || files[0] || "";
  const file = useData<{ blocks: Block[] }>(
    path ? `p/${pid}/tables` : null,
    { path },
    watch.version,
  );
  const [typed, setTyped] = useState(path);
  useEffect(() => setTyped(path), [path]);
  const largest = file.data?.blocks.reduce(
    (a, b) => (b.rows > a.rows ? b : a),
    file.data.blocks[0],
  );
  const name = query.get("block") ?? largest?.name ?? "";
  const block = file.data?.blocks.find(each => each.name === name);
  const open = (next: string) => go(link(pid, "tables", { path: next }));
  return (
    <div className="tables">
      <form
        className="toolbar"
        onSubmit={event => {
          event.preventDefault();
          open(typed);
        }}
      >
        <input
          className="wide-field"
          list="star-files"
          value={typed}
          onChange={event => setTyped(event.target.value)}
          aria-label="STAR file"
          placeholder="path of a STAR file"
        />
        <datalist id="star-files">
          {files.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <button>Open</button>
        <span className="tabs small" role="tablist">
          {file.data?.blocks.map(each => (
            <button
              type="button"
              role="tab"
              key={each.name}
              aria-selected={each.name === name}
              onClick={() => go(link(pid, "tables", { path, block: each.name }))}
            >
              {each.name || "data_"} <small>{count(each.rows)}</small>
            </button>
          ))}
        </span>
      </form>
      {file.error && <Problem text={file.error} retry={file.reload} />}
      {!path && nodes.data && (
        <Empty title="No table yet.">
          Jobs leave STAR files; choose one here when there are some, or type a path.
        </Empty>
      )}
      {file.loading && <Loading what="reading the table" />}
      {file.data && !file.data.blocks.length && (
        <Empty title="This file is empty.">
          RELION writes a file without tables where there is nothing to list.
        </Empty>
      )}
      {block?.is_list && <ListTable block={block} />}
      {block && !block.is_list && <Grid key={path + name} path={path} block={block} />}
    </div>
  );
}

function ListTable({ block }: { block: Block }) {
  return (
    <div className="scroll">
      <table className="plain-table">
        <tbody>
          {block.columns.map(each => (
            <tr key={each.label}>
              <th title={each.meaning}>{each.label}</th>
              <td>{block.values?.[each.label]}</td>
              <td className="hint">
                {each.unit} {each.meaning}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Grid({ path, block }: { path: string; block: Block }) {
  const { pid } = useProject();
  const [sort, setSort] = useState("");
  const [descending, setDescending] = useState(false);
  const [filterText, setFilterText] = useState("");
  const [filters, setFilters] = useState<string[]>([]);
  const [pages, setPages] = useState<Map<number, Page>>(new Map());
  const [passing, setPassing] = useState(block.rows);
  const [top, setTop] = useState(0);
  const [error, setError] = useState("");
  const [plot, setPlot] = useState(false);
  const asked = useRef(new Set<number>());
  const key = JSON.stringify([sort, descending, filters]);
  const now = useRef(key);
  useEffect(() => {
    now.current = key;
    asked.current.clear();
    setPages(new Map());
    setError("");
    setTop(0);
    if (box.current) box.current.scrollTop = 0;
  }, [key]); // eslint-disable-line
  const box = useRef<HTMLDivElement>(null);
  const full = passing * ROW,
    tall = Math.min(full, MAX_PIXELS),
    stretch = tall < full ? (full - 600) / (tall - 600) : 1;
  const first = Math.max(0, Math.floor((top * stretch) / ROW)),
    visible = 42;
  useEffect(() => {
    for (const chunk of new Set([
      Math.floor(first / CHUNK),
      Math.floor((first + visible) / CHUNK),
    ])) {
      if (asked.current.has(chunk) || chunk * CHUNK >= Math.max(1, passing)) continue;
      asked.current.add(chunk);
      get<Page>(`p/${pid}/tables/page`, {
        path,
        block: block.name,
        offset: chunk * CHUNK,
        count: CHUNK,
        sort,
        descending,
        filter: filters,
      }).then(
        page => {
          if (now.current !== key) return;
          setPassing(page.passing);
          setPages(old => new Map([...old].slice(-30)).set(chunk, page));
        },
        reason => {
          setError(reason.message);
        },
      );
    }
  }, [first, key, pages, passing]); // eslint-disable-line
  const rows = Array.from(
    { length: Math.min(visible, Math.max(0, passing - first)) },
    (_, i) => first + i,
  );
  const addFilter = () => {
    if (filterText.trim()) {
      setFilters([...filters, filterText.trim()]);
      setFilterText("");
    }
  };
  const width = block.columns.map(each =>
    Math.max(each.numeric ? 100 : 280, each.label.length * 7.4 + (each.unit ? 40 : 20)),
  );
  const template = `70px ${width.map(w => `${w}px`).join(" ")}`;
  return (
    <>
      <div className="toolbar">
        <form
          onSubmit={event => {
            event.preventDefault();
            addFilter();
          }}
          className="row-tools"
        >
          <input
            list="columns"
            value={filterText}
            onChange={event => setFilterText(event.target.value)}
            placeholder="filter: rlnDefocusU > 10000, rlnMicrographName ~ 0001"
            aria-label="filter"
            className="filter-field"
          />
          <button>Filter</button>
        </form>
        <datalist id="columns">
          {block.columns.map(each => (
            <option key={each.label} value={`${each.label} `} />
          ))}
        </datalist>
        {filters.map(each => (
          <button
            key={each}
            className="chip"
            onClick={() => setFilters(filters.filter(other => other !== each))}
            title="remove"
          >
            {each} ✕
          </button>
        ))}
        <span className="grow" />
        <span className="hint" data-testid="rows">
          {passing === block.rows ? count(block.rows) : `${count(passing)} of ${count(block.rows)}`}{" "}
          rows
        </span>
        <button aria-pressed={plot} onClick={() => setPlot(!plot)}>
          Plot
        </button>
      </div>
      {error && <Problem text={error} />}
      {plot && <ColumnPlot path={path} block={block} filters={filters} />}
      <div
        className="grid scroll"
        ref={box}
        onScroll={event => setTop(event.currentTarget.scrollTop)}
        role="grid"
        aria-rowcount={passing}
        tabIndex={0}
      >
        <div className="grid-head" style={{ gridTemplateColumns: template }} role="row">
          <span>row</span>
          {block.columns.map(each => (
            <button
              key={each.label}
              role="columnheader"
              title={`${each.meaning}${each.unit ? ` (${each.unit})` : ""}`}
              aria-sort={sort === each.label ? (descending ? "descending" : "ascending") : "none"}
              onClick={() => {
                if (sort === each.label) {
                  if (descending) {
                    setSort("");
                    setDescending(false);
                  } else setDescending(true);
                } else {
                  setSort(each.label);
                  setDescending(false);
                }
              }}
            >
              {each.label.replace(/^rln/, "")}
              {each.unit && <small> {each.unit}</small>}
              {sort === each.label ? (descending ? " ↓" : " ↑") : ""}
            </button>
          ))}
        </div>
        <div style={{ height: tall, position: "relative" }}>
          <div style={{ position: "absolute", top: stretch === 1 ? first * ROW : top, left: 0 }}>
            {rows.map(n => {
              const page = pages.get(Math.floor(n / CHUNK)),
                at = n % CHUNK;
              return (
                <div
                  key={n}
                  className="grid-row"
                  style={{ gridTemplateColumns: template }}
                  role="row"
                >
                  <span className="hint">
                    {page?.rows[at] !== undefined ? page.rows[at] + 1 : "…"}
                  </span>
                  {page?.cells[at]?.map((text, c) => (
                    <span key={c} className={block.columns[c].numeric ? "num" : ""} title={text}>
                      {text}
                    </span>
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      </div>
    </>
  );
}

function ColumnPlot({ path, block, filters }: { path: string; block: Block; filters: string[] }) {
  const { pid } = useProject();
  const numeric = block.columns.filter(each => each.numeric);
  const [x, setX] = useState("");
  const [y, setY] = useState(
    numeric.find(each => /Defocus|Coordinate|Resolution/.test(each.label))?.label ??
      numeric[0]?.label ??
      "",
  );
  const found = useData<{ x: (number | null)[]; y: (number | null)[]; step: number }>(
    y ? `p/${pid}/tables/plot` : null,
    { path, block: block.name, x, y, filter: filters },
  );
  if (!numeric.length) return <p className="hint">no column of numbers to plot</p>;
  const named = (label: string) => {
    const column = block.columns.find(each => each.label === label);
    return label ? `${label}${column?.unit ? ` (${column.unit})` : ""}` : "row";
  };
  return (
    <section className="column-plot">
      <div className="toolbar">
        <label>
          y{" "}
          <select value={y} onChange={event => setY(event.target.value)}>
            {numeric.map(each => (
              <option key={each.label}>{each.label}</option>
            ))}
          </select>
        </label>
        <label>
          x{" "}
          <select value={x} onChange={event => setX(event.target.value)}>
            <option value="">row number</option>
            {numeric.map(each => (
              <option key={each.label}>{each.label}</option>
            ))}
          </select>
        </label>
        {found.data && found.data.step > 1 && (
          <span className="hint">every {found.data.step}th row</span>
        )}
      </div>
      {found.error ? (
        <Problem text={found.error} />
      ) : found.data ? (
        <PointPlot
          x={found.data.x}
          y={found.data.y}
          xTitle={named(x)}
          yTitle={named(y)}
          height={240}
        />
      ) : (
        <Loading />
      )}
    </section>
  );
}

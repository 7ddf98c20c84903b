// Every movie with its stage and all its figures, as a table: sorted by any of them, only the rows on screen are drawn.
import { createColumnHelper, type ColumnDef } from "@tanstack/react-table";
import { useMemo, useState } from "react";
import { titled, unitOf } from "../../figures";
import { DataTable } from "../../ui/datatable";
import { download } from "../../plots/files";
import { baseName, count, number } from "../../ui/words";
import { asideBy, type Sheet } from "./data";

type Row = number; // of the sheet
const column = createColumnHelper<Row>();

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- values of many types
type Columns = ColumnDef<Row, any>[];

function columnsOf(sheet: Sheet): Columns {
  const state = (i: Row) =>
    sheet.kind[i]
      ? `✕ ${asideBy(sheet.kind[i])}`
      : sheet.stages[i] || (sheet.made[i] ? "" : "waiting");
  return [
    column.accessor(i => sheet.numbers[i], { id: "number", header: "no.", size: 60, meta: NUM }),
    column.accessor(i => baseName(sheet.names[i]), { id: "name", header: "movie", size: 190 }),
    column.accessor(state, { id: "state", header: "state", size: 130 }),
    ...sheet.kinds.map(kind =>
      column.accessor(i => sheet.columns[kind.key][i] ?? undefined, {
        id: kind.key,
        header: titled(kind),
        size: 104,
        sortUndefined: "last",
        cell: info => number(info.getValue() as number | undefined, 4),
        meta: { ...NUM, title: kind.definition },
      }),
    ),
    column.accessor(i => sheet.why[i], { id: "why", header: "why set aside", size: 320 }),
  ] as Columns;
}
const NUM = { numeric: true };

/** All movies and figures as text for other programs. */
function csv(sheet: Sheet): string {
  const quoted = (text: string) => `"${text.replace(/"/g, '""')}"`;
  const head = [
    "number",
    "name",
    "stage",
    "set_aside",
    "why",
    ...sheet.kinds.map(kind => `${kind.key}${unitOf(kind) ? ` (${unitOf(kind)})` : ""}`),
  ];
  const lines = sheet.names.map((name, i) =>
    [
      sheet.numbers[i],
      quoted(name),
      quoted(sheet.stages[i]),
      sheet.kind[i],
      quoted(sheet.why[i]),
      ...sheet.kinds.map(kind => sheet.columns[kind.key][i] ?? ""),
    ].join(","),
  );
  return [head.join(","), ...lines].join("\n") + "\n";
}

export function MovieTable({
  sheet,
  shown,
  chosen,
  choose,
}: {
  sheet: Sheet;
  shown: Uint8Array;
  chosen?: number;
  choose: (i: number) => void;
}) {
  const [open, setOpen] = useState(false);
  const columns = useMemo(() => (open ? columnsOf(sheet) : []), [sheet, open]);
  const rows = useMemo(
    () => (open ? sheet.names.map((_, i) => i).filter(i => shown[i]) : []),
    [sheet, shown, open],
  );
  return (
    <section className="live-panel" aria-label="table of movies">
      <header>
        <h2>
          Table of movies <small>{count(sheet.names.length)}</small>
        </h2>
        <span className="grow" />
        {open && (
          <button onClick={() => download("movies.csv", csv(sheet), "text/csv")}>
            Save as CSV
          </button>
        )}
        <button className="plain" aria-expanded={open} onClick={() => setOpen(!open)}>
          {open ? "hide" : "show"}
        </button>
      </header>
      {open && (
        <DataTable
          label="movies"
          rows={rows}
          columns={columns}
          chosen={chosen}
          choose={choose}
          idOf={i => i}
          tall={420}
        />
      )}
    </section>
  );
}

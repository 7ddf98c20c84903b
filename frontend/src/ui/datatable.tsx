// A table of many rows: sorted by a click on its head, only the rows on screen exist, arrow keys go through them.
import {
  getCoreRowModel,
  getSortedRowModel,
  useReactTable,
  flexRender,
  type ColumnDef,
  type SortingState,
} from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, useState } from "react";
import "./datatable.css";

const ROW = 26; // pixels

interface Meta {
  numeric?: boolean;
  title?: string;
}

export function DataTable<T>({
  label,
  rows,
  columns,
  chosen,
  choose,
  idOf,
  tall,
}: {
  label: string;
  rows: T[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- columns hold values of many types
  columns: ColumnDef<T, any>[];
  chosen?: number;
  choose?: (id: number) => void;
  idOf: (row: T) => number;
  tall: number;
}) {
  const [sorting, setSorting] = useState<SortingState>([]);
  const box = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: rows,
    columns,
    state: { sorting },
    onSortingChange: setSorting,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  const all = table.getRowModel().rows;
  const virtual = useVirtualizer({
    count: all.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  const template = table
    .getVisibleLeafColumns()
    .map(each => `${each.getSize()}px`)
    .join(" ");
  const move = (by: number) => {
    const at = all.findIndex(row => idOf(row.original) === chosen);
    const next = Math.max(0, Math.min(all.length - 1, at + by));
    if (all[next] && choose) {
      choose(idOf(all[next].original));
      virtual.scrollToIndex(next);
    }
  };
  return (
    <div
      className="data-table"
      ref={box}
      style={{ maxHeight: tall }}
      role="grid"
      aria-label={label}
      aria-rowcount={all.length}
      tabIndex={0}
      onKeyDown={event => {
        const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12 }[event.key];
        if (!by) return;
        event.preventDefault();
        event.stopPropagation();
        move(by);
      }}
    >
      <div role="rowgroup">
        {table.getHeaderGroups().map(group => (
          <div
            key={group.id}
            className="data-head"
            role="row"
            style={{ gridTemplateColumns: template }}
          >
            {group.headers.map(head => {
              const sorted = head.column.getIsSorted();
              return (
                <div
                  key={head.id}
                  role="columnheader"
                  aria-sort={sorted === "asc" ? "ascending" : sorted ? "descending" : "none"}
                >
                  <button
                    title={(head.column.columnDef.meta as Meta)?.title}
                    onClick={head.column.getToggleSortingHandler()}
                  >
                    {flexRender(head.column.columnDef.header, head.getContext())}
                    {sorted === "asc" ? " ↑" : sorted ? " ↓" : ""}
                  </button>
                </div>
              );
            })}
          </div>
        ))}
      </div>
      <div role="rowgroup" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map(item => {
          const row = all[item.index],
            id = idOf(row.original);
          return (
            <div
              key={row.id}
              role="row"
              aria-rowindex={item.index + 1}
              aria-selected={id === chosen}
              className="data-row"
              style={{ gridTemplateColumns: template, top: item.start, height: ROW }}
              onClick={() => choose?.(id)}
            >
              {row.getVisibleCells().map(cell => (
                <span
                  key={cell.id}
                  role="gridcell"
                  className={(cell.column.columnDef.meta as Meta)?.numeric ? "num" : ""}
                  title={String(cell.getValue() ?? "")}
                >
                  {flexRender(cell.column.columnDef.cell, cell.getContext())}
                </span>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

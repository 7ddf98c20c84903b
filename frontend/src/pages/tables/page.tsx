// Any STAR file: blocks, sorted and filtered rows (only those on screen are fetched), column against column.
import { useMemo, useState } from "react";
import { address } from "../../api/http";
import type { Offer, Tables } from "../../api/types";
import { useProject } from "../../context";
import { go, link, useData, useRoute } from "../../hooks";
import { Boundary } from "../../ui/boundary";
import { Empty, Loading, Problem } from "../../ui/parts";
import { Tabs } from "../../ui/tabs";
import { count } from "../../ui/words";
import { Block, ListBlock } from "./block";
import "./tables.css";

export function TablesPage() {
  const { pid } = useProject();
  const { query } = useRoute();
  const nodes = useData<Offer[]>(`p/${pid}/nodes`);
  const files = useMemo(
    () =>
      (nodes.data ?? [])
        .filter(each => each.exists && each.name.endsWith(".star"))
        .map(each => each.name)
        .reverse(),
    [nodes.data],
  );
  const path = query.get("path") || files[0] || "";
  const file = useData<Tables>(path ? `p/${pid}/tables` : null, { path });
  const blocks = file.data?.blocks ?? [];
  const largest = blocks.reduce((a, b) => (b.rows > a.rows ? b : a), blocks[0]);
  const name = query.get("block") ?? largest?.name ?? "";
  const block = blocks.find(each => each.name === name);
  return (
    <div className="tables">
      <OpenFile key={path} path={path} files={files} />
      {file.error && <Problem text={file.error} retry={file.reload} />}
      {!path && nodes.data && (
        <Empty title="No table yet.">
          Jobs leave STAR files; choose one here when there are some, or type a path.
        </Empty>
      )}
      {file.loading && <Loading what="reading the table" />}
      {file.data?.left_out && <p className="hint">{file.data.left_out}</p>}
      {file.data && !blocks.length && (
        <Empty title="This file is empty.">
          RELION writes a file without tables where there is nothing to list.
        </Empty>
      )}
      {block && (
        <Tabs
          small
          className="blocks"
          value={name}
          choose={next => go(link(pid, "tables", { path, block: next }))}
          tabs={blocks.map(each => ({
            key: each.name,
            title: each.name || "data_",
            extra: <small> {count(each.rows)}</small>,
          }))}
        >
          <Boundary key={path + name} what="This table">
            {block.is_list ? (
              <ListBlock block={block} />
            ) : (
              <Block key={path + name} path={path} block={block} />
            )}
          </Boundary>
        </Tabs>
      )}
    </div>
  );
}

function OpenFile({ path, files }: { path: string; files: string[] }) {
  const { pid } = useProject();
  const [typed, setTyped] = useState(path);
  return (
    <form
      className="toolbar"
      onSubmit={event => {
        event.preventDefault();
        go(link(pid, "tables", { path: typed }));
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
      {path && (
        <a className="button" href={address(`p/${pid}/file`, { path, download: true })} download>
          Download
        </a>
      )}
    </form>
  );
}

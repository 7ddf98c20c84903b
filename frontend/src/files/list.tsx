// Files of the project and of registered directories, to choose one from; or a directory of them.
import { useState } from "react";
import { useProject } from "../context";
import { useData } from "../hooks";
import { Loading, Problem } from "../ui/parts";
import { above, endings } from "./patterns";

interface Props {
  pattern: string;
  choose: (path: string) => void;
  folders?: boolean; // a directory is wanted, not a file
}

export function FileList({ pattern, choose, folders }: Props) {
  const { pid } = useProject();
  const [folder, setFolder] = useState("");
  const [all, setAll] = useState(false);
  const wanted = endings(pattern);
  const files = useData<string[]>(`p/${pid}/files`, { folder });
  const roots = useData<string[]>(`p/${pid}/data-roots`);
  const fits = (name: string) =>
    all || !wanted.length || name.endsWith("/") || wanted.some(each => name.endsWith(each));
  const shown = (files.data ?? []).filter(fits);
  const isRoot = roots.data?.some(each => `${each}/` === folder);
  return (
    <div className="dialog-body browse">
      <h3>{folder || "project directory"}</h3>
      {folder && (
        <button
          type="button"
          className="offer"
          onClick={() => setFolder(isRoot ? "" : above(folder))}
        >
          ↑ up
        </button>
      )}
      {!folder &&
        roots.data?.map(each => (
          <button key={each} type="button" className="offer" onClick={() => setFolder(`${each}/`)}>
            <span>{each}/</span>
            <em>registered</em>
          </button>
        ))}
      {files.loading && <Loading />}
      {files.error && <Problem text={files.error} />}
      {shown.length === 0 && files.data && (
        <p className="hint">
          nothing of this kind here{wanted.length > 0 && ` (${wanted.join(", ")})`}
        </p>
      )}
      {shown.map(name => {
        const isFolder = name.endsWith("/");
        return (
          <button
            key={name}
            type="button"
            className="offer"
            disabled={folders && !isFolder}
            onClick={() => (isFolder ? setFolder(folder + name) : choose(folder + name))}
          >
            <span>{name}</span>
          </button>
        );
      })}
      {wanted.length > 0 && (
        <label className="check">
          <input type="checkbox" checked={all} onChange={event => setAll(event.target.checked)} />{" "}
          show every file
        </label>
      )}
      {folders && (
        <button
          type="button"
          className="main"
          disabled={!folder}
          onClick={() => choose(folder.replace(/\/$/, ""))}
        >
          Take {folder ? folder.replace(/\/$/, "") : "a folder"}
        </button>
      )}
    </div>
  );
}

// Directories of the server's machine, to choose one from; operators only.
import { useState } from "react";
import type { Folders } from "../api/types";
import { useData } from "../hooks";
import { Loading, Problem } from "../ui/parts";

export function Places({
  start,
  choose,
}: {
  start: string;
  choose: (path: string, isProject: boolean) => void;
}) {
  const [path, setPath] = useState(start);
  const found = useData<Folders>("folders", { path });
  const go = (to: string, isProject: boolean) => {
    setPath(to);
    choose(to, isProject);
  };
  return (
    <div className="browse places">
      <h3>{found.data?.path ?? path}</h3>
      {found.loading && <Loading />}
      {found.error && <Problem text={found.error} />}
      {found.data?.parent && (
        <button type="button" className="offer" onClick={() => go(found.data!.parent!, false)}>
          ↑ up
        </button>
      )}
      {found.data?.folders.map(each => (
        <button
          key={each.name}
          type="button"
          className="offer"
          onClick={() => go(`${found.data!.path.replace(/\/$/, "")}/${each.name}`, each.is_project)}
        >
          <span>{each.name}/</span>
          {each.is_project && <em>project</em>}
        </button>
      ))}
      {(found.data?.left_out ?? 0) > 0 && (
        <p className="hint">{found.data!.left_out} more; type the path</p>
      )}
    </div>
  );
}

// Browse: outputs that exist and outputs that scheduled jobs will make, of the right type.
import { useState } from "react";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { Dialog, Empty, Loading, Problem } from "../../parts";
import type { Field, Offer } from "../../types";
import { baseName } from "../../words";

export function Browse({
  field,
  choose,
  close,
}: {
  field: Field;
  choose: (path: string) => void;
  close: () => void;
}) {
  return (
    <Dialog title={`Browse: ${field.label.replace(/:$/, "")}`} close={close}>
      {field.kind === "node" ? (
        <Nodes kind={field.node!} choose={choose} />
      ) : (
        <Files pattern={field.pattern ?? ""} choose={choose} />
      )}
    </Dialog>
  );
}

function Nodes({ kind, choose }: { kind: string; choose: (path: string) => void }) {
  const { pid } = useProject();
  const [all, setAll] = useState(false);
  const offers = useData<Offer[]>(`p/${pid}/nodes`, { type: all ? "" : kind });
  const groups = new Map<string, Offer[]>();
  for (const offer of [...(offers.data ?? [])].reverse())
    groups.set(offer.shown_producer || "from outside", [
      ...(groups.get(offer.shown_producer || "from outside") ?? []),
      offer,
    ]);
  return (
    <div className="dialog-body browse">
      {offers.loading && <Loading />}
      {offers.error && <Problem text={offers.error} retry={offers.reload} />}
      {offers.data?.length === 0 && (
        <Empty title={`No job makes ${kind} yet.`}>
          Make and schedule such a job first: what it will make can be chosen at once.
        </Empty>
      )}
      {[...groups].map(([producer, found]) => (
        <div key={producer}>
          <h3>{producer}</h3>
          {found.map(offer => (
            <button
              key={offer.name}
              type="button"
              className="offer"
              onClick={() => choose(offer.name)}
            >
              <span>{baseName(offer.name)}</span>
              {all && <small>{offer.type}</small>}
              {!offer.exists && <em>expected</em>}
            </button>
          ))}
        </div>
      ))}
      <label className="check">
        <input type="checkbox" checked={all} onChange={event => setAll(event.target.checked)} />{" "}
        show every type
      </label>
    </div>
  );
}

/** Endings of a pattern as RELION writes them: "Gain (*.{mrc,tif})", "STAR Files (*_optimiser.star)"; none for "*.*". */
function endings(pattern: string): string[] {
  const inside = /\(([^)]*)\)/.exec(pattern)?.[1] ?? "";
  const braces = /^(.*)\{([^}]*)\}(.*)$/.exec(inside);
  const all = braces ? braces[2].split(",").map(each => braces[1] + each + braces[3]) : [inside];
  return all
    .filter(each => each.startsWith("*") && each !== "*.*")
    .map(each => each.slice(1))
    .filter(each => !each.includes("*"));
}

function Files({ pattern, choose }: { pattern: string; choose: (path: string) => void }) {
  const { pid } = useProject();
  const [folder, setFolder] = useState("");
  const [all, setAll] = useState(false);
  const wanted = endings(pattern);
  const files = useData<string[]>(`p/${pid}/files`, { folder });
  const shown = (files.data ?? []).filter(
    name => all || !wanted.length || name.endsWith("/") || wanted.some(each => name.endsWith(each)),
  );
  return (
    <div className="dialog-body browse">
      <h3>{folder || "project directory"}</h3>
      {folder && (
        <button
          type="button"
          className="offer"
          onClick={() =>
            setFolder(
              folder.split("/").slice(0, -2).join("/") + (folder.split("/").length > 2 ? "/" : ""),
            )
          }
        >
          ↑ up
        </button>
      )}
      {files.loading && <Loading />}
      {files.error && <Problem text={files.error} />}
      {shown.length === 0 && files.data && (
        <p className="hint">
          nothing of this kind here{wanted.length > 0 && ` (${wanted.join(", ")})`}
        </p>
      )}
      {shown.map(name => (
        <button
          key={name}
          type="button"
          className="offer"
          onClick={() => (name.endsWith("/") ? setFolder(folder + name) : choose(folder + name))}
        >
          <span>{name}</span>
        </button>
      ))}
      {wanted.length > 0 && (
        <label className="check">
          <input type="checkbox" checked={all} onChange={event => setAll(event.target.checked)} />{" "}
          show every file
        </label>
      )}
    </div>
  );
}

// Browse: outputs that exist and outputs that scheduled jobs will make, of the right type.
import { useState } from "react";
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { Dialog } from "../../ui/dialog";
import { Empty, Loading, Problem } from "../../ui/parts";
import type { Field, Offer } from "../../api/types";
import { FileList } from "../../files/list";
import { baseName } from "../../ui/words";

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
        <FileList pattern={field.pattern ?? ""} choose={choose} />
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

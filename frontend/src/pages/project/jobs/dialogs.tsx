// Dialogs of one job: its note, its alias, what deleting or cleaning it would take. Errors stay inside them.
import { useState } from "react";
import type { Job } from "../../../api/types";
import { useProject } from "../../../context";
import { useData } from "../../../hooks";
import { Ask, Dialog, DialogError } from "../../../ui/dialog";
import { shownName } from "../../../ui/words";

type Act = (body: Record<string, unknown>) => Promise<unknown>;

/** Runs an act and closes; what is refused is said and the dialog stays. */
function useSaving(close: () => void) {
  const [error, setError] = useState("");
  const save = (work: Promise<unknown>) =>
    work.then(close, reason => setError((reason as Error).message));
  return { error, save };
}

export function NoteDialog({ job, act, close }: { job: Job; act: Act; close: () => void }) {
  const [text, setText] = useState(job.note);
  const { mayChange } = useProject();
  const { error, save } = useSaving(close);
  return (
    <Dialog title={`Note of ${shownName(job)}`} close={close} wide>
      <textarea
        className="note"
        aria-label="note"
        value={text}
        readOnly={!mayChange}
        onChange={event => setText(event.target.value)}
        autoFocus
      />
      <DialogError text={error} />
      <footer>
        <button onClick={close}>Close</button>
        <button
          className="main"
          disabled={!mayChange || text === job.note}
          onClick={() => void save(act({ action: "note", text }))}
        >
          Save
        </button>
      </footer>
    </Dialog>
  );
}

export function AliasDialog({ job, act, close }: { job: Job; act: Act; close: () => void }) {
  const [text, setText] = useState(job.alias === "None" ? "" : shownName(job).split("/")[1]);
  const { error, save } = useSaving(close);
  return (
    <Dialog title="Alias" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          void save(act({ action: "alias", text }));
        }}
      >
        <div className="dialog-body">
          <label className="row">
            {job.folder}/{" "}
            <input
              value={text}
              autoFocus
              aria-invalid={Boolean(error)}
              onChange={event => setText(event.target.value)}
            />
          </label>
          <DialogError text={error} />
          <p className="hint">Empty takes the alias away.</p>
        </div>
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button className="main">Save</button>
        </footer>
      </form>
    </Dialog>
  );
}

const TITLES: Record<string, string> = {
  delete: "Delete",
  gentle: "Gentle clean",
  harsh: "Harsh clean",
};

export function Consequences({
  path,
  what,
  act,
  close,
}: {
  path: string;
  what: string;
  act: () => Promise<unknown>;
  close: () => void;
}) {
  const found = useData<{ jobs?: string[]; count?: number }>(`${path}/consequences`, {
    action: what === "delete" ? "delete" : "clean",
    harsh: what === "harsh",
  });
  const harsh = " An empty file NO_HARSH_CLEAN in its directory protects a job.";
  const text = found.error
    ? found.error
    : !found.data
      ? "…"
      : found.data.jobs
        ? `To Trash: ${found.data.jobs.join(", ")}`
        : `${found.data.count} files move to Trash.${what === "harsh" ? harsh : ""}`;
  return <Ask title={TITLES[what]} text={text} yes="Move to Trash" act={act} close={close} />;
}

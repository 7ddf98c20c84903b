// The project's note, and the notes of all jobs in a row.
import { useEffect, useState } from "react";
import { put } from "../api/http";
import { useProject } from "../context";
import { attempt, link, useData } from "../hooks";
import { Dialog } from "../ui/dialog";
import { Loading, Problem } from "../ui/parts";

export function ProjectNote({ close }: { close: () => void }) {
  const { pid, title, mayChange } = useProject();
  const stored = useData<{ text: string }>(`p/${pid}/note`);
  const [text, setText] = useState("");
  useEffect(() => {
    if (stored.data) setText(stored.data.text);
  }, [stored.data]);
  const save = () =>
    void attempt(put(`p/${pid}/note`, { text }), "note saved").then(done => done && close());
  return (
    <Dialog title={`Note of ${title}`} close={close} wide>
      {stored.error ? (
        <Problem text={stored.error} retry={stored.reload} />
      ) : !stored.data ? (
        <Loading />
      ) : (
        <textarea
          className="note"
          aria-label="note"
          value={text}
          readOnly={!mayChange}
          placeholder="What is this project about? Grids, samples, what was tried."
          onChange={event => setText(event.target.value)}
          autoFocus
        />
      )}
      <footer>
        <button onClick={close}>Close</button>
        <button
          className="main"
          disabled={!mayChange || !stored.data || text === stored.data.text}
          onClick={save}
        >
          Save
        </button>
      </footer>
    </Dialog>
  );
}

export function AllNotes({ close }: { close: () => void }) {
  const { pid } = useProject();
  const notes = useData<{ job: string; shown: string; text: string }[]>(`p/${pid}/notes`);
  return (
    <Dialog title="Notes of all jobs" close={close} wide>
      <div className="dialog-body">
        {notes.error && <Problem text={notes.error} retry={notes.reload} />}
        {notes.loading && <Loading />}
        {notes.data?.length === 0 && (
          <p>
            No job has a note yet: Alt-E in a job writes one, running a job writes its command
            there.
          </p>
        )}
        {notes.data?.map(each => (
          <section key={each.job}>
            <h3>
              <a href={link(pid, "project", { job: each.job })} onClick={close}>
                {each.shown}
              </a>
            </h3>
            <pre className="log">{each.text.trim()}</pre>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

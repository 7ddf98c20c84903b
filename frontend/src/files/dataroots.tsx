// Directories outside the project whose files may be shown and watched.
import { useState } from "react";
import { post, remove } from "../api/http";
import { useProject } from "../context";
import { useData } from "../hooks";
import { Dialog, DialogError } from "../ui/dialog";
import { Places } from "./places";

export function DataRoots({ close }: { close: () => void }) {
  const { pid, who } = useProject();
  const roots = useData<string[]>(`p/${pid}/data-roots`);
  const [folder, setFolder] = useState("");
  const [error, setError] = useState("");
  const mayAdd = who.role === "operator";
  const act = (work: Promise<unknown>) =>
    work.then(
      () => {
        setError("");
        roots.reload();
      },
      reason => setError((reason as Error).message),
    );
  return (
    <Dialog title="Data directories" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          if (folder.trim()) void act(post(`p/${pid}/data-roots`, { folder: folder.trim() }));
        }}
      >
        <div className="dialog-body">
          <p className="hint">
            Files of these directories may be shown to all who see the project, and movies in them
            taken.
          </p>
          {roots.data?.length === 0 && <p>None but the project itself.</p>}
          {roots.data?.map(each => (
            <div key={each} className="stop-row">
              <b>{each}</b>
              {mayAdd && (
                <button
                  type="button"
                  className="bad"
                  onClick={() => void act(remove(`p/${pid}/data-roots`, { folder: each }))}
                >
                  Take back
                </button>
              )}
            </div>
          ))}
          {mayAdd && (
            <>
              <label className="row">
                Directory{" "}
                <input
                  value={folder}
                  className="wide-field"
                  placeholder="/archive/movies"
                  aria-invalid={Boolean(error)}
                  onChange={event => setFolder(event.target.value)}
                />
              </label>
              <DialogError text={error || roots.error} />
              <Places start="" choose={setFolder} />
            </>
          )}
        </div>
        <footer>
          <button type="button" onClick={close}>
            Close
          </button>
          {mayAdd && (
            <button className="main" disabled={!folder.trim()}>
              Register
            </button>
          )}
        </footer>
      </form>
    </Dialog>
  );
}

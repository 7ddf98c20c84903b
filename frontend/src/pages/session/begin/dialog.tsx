// A new session: folder -> what was recognised -> profile -> the first three movies as a check -> Start.
import { useState } from "react";
import { post } from "../../../api/http";
import { useProject } from "../../../context";
import type { Look } from "../../../api/types";
import { FileList } from "../../../files/list";
import { go, link, tell, useData } from "../../../hooks";
import { Dialog, DialogError } from "../../../ui/dialog";
import { Known } from "./known";
import { Resources } from "./resources";

type Given = Record<string, string>;

/** Looks at a folder, and begins a session in it; what is refused is said in the dialog. */
function useBeginning(folder: string, given: Given, begun: (name: string) => void) {
  const { pid } = useProject();
  const [look, setLook] = useState<Look | null>(null);
  const [asked, setAsked] = useState("");
  const [busy, setBusy] = useState("");
  const [error, setError] = useState("");
  const now = JSON.stringify([folder, given]);
  const ask = async <T,>(words: string, work: Promise<T>, done: (found: T) => void) => {
    setBusy(words);
    setError("");
    try {
      done(await work);
    } catch (reason) {
      setError((reason as Error).message);
    }
    setBusy("");
  };
  return {
    look,
    busy,
    error,
    fresh: look !== null && asked === now,
    examine: () =>
      ask(
        "looking at the folder and its first three movies …",
        post<Look>(`p/${pid}/live/look`, { folder, given }),
        found => {
          setLook(found);
          setAsked(now);
        },
      ),
    start: () =>
      ask("starting …", post<{ name: string }>(`p/${pid}/live`, { folder, given }), found =>
        begun(found.name),
      ),
  };
}

export function NewSessionDialog({ close }: { close: () => void }) {
  const { pid } = useProject();
  const profiles = useData<string[]>(`p/${pid}/live/profiles`);
  const [folder, setFolder] = useState("Movies");
  const [profile, setProfile] = useState("");
  const [given, setGiven] = useState<Given>({});
  const [browsing, setBrowsing] = useState(false);
  const all = { ...given, ...(profile ? { profile } : {}) };
  const { look, busy, error, fresh, examine, start } = useBeginning(folder, all, name => {
    tell("the session runs; it goes on without this page");
    close();
    go(link(pid, "session", { session: name }));
  });
  const give = (key: string, text: string) => setGiven({ ...given, [key]: text });
  const missing = look?.missing.filter(key => !given[key]) ?? [];
  const good = fresh && missing.length === 0;
  return (
    <Dialog title="New live session" close={close} wide="huge">
      <form
        onSubmit={event => {
          event.preventDefault();
          if (busy || !folder.trim()) return;
          void (good ? start() : examine());
        }}
      >
        <div className="dialog-body new-session">
          <label className="row folder">
            Folder or wildcard where movies arrive{" "}
            <input
              value={folder}
              onChange={event => setFolder(event.target.value)}
              autoFocus
              className="wide-field"
              aria-invalid={Boolean(error)}
            />
            <button type="button" onClick={() => setBrowsing(true)}>
              Browse
            </button>
          </label>
          <DialogError text={error} />
          <p className="hint">
            In the project, or in a directory registered with <i>File &gt; Data directories</i>.
            What EPU, SerialEM or the movies say need not be given.
          </p>
          <label className="row">
            Profile: options of earlier sessions; those of this one are saved in it{" "}
            <span>
              <input
                list="profiles"
                value={profile}
                onChange={event => setProfile(event.target.value.replace(/[^A-Za-z0-9_.-]/g, ""))}
                placeholder="none"
                aria-label="profile"
              />
              <datalist id="profiles">
                {profiles.data?.map(each => (
                  <option key={each} value={each} />
                ))}
              </datalist>
            </span>
          </label>
          <Resources given={given} give={give} />
          {busy && (
            <p role="status">
              <span className="spinner" /> {busy}
            </p>
          )}
          {look && <Known look={look} fresh={fresh} missing={missing} given={given} give={give} />}
        </div>
        <footer>
          <span className="hint">
            {!look
              ? "Look starts nothing."
              : missing.length
                ? `give ${missing.join(" and ")}, then Look again`
                : ""}
          </span>
          <span className="grow" />
          <button type="button" onClick={close}>
            Cancel
          </button>
          {look && (
            <button type="button" disabled={Boolean(busy)} onClick={() => void examine()}>
              Look again
            </button>
          )}
          <button
            className="main"
            disabled={Boolean(busy) || !folder.trim() || (fresh && missing.length > 0)}
          >
            {good ? "Start" : "Look"}
          </button>
        </footer>
      </form>
      {browsing && (
        <Dialog title="Folder of the movies" close={() => setBrowsing(false)}>
          <FileList
            folders
            pattern=""
            choose={path => {
              setFolder(path);
              setBrowsing(false);
            }}
          />
        </Dialog>
      )}
    </Dialog>
  );
}

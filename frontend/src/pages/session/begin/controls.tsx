// Pause, resume, finish, stop a session; freeze what is accepted now.
import { useState } from "react";
import { post } from "../../../api/http";
import { useProject } from "../../../context";
import { attempt, tell } from "../../../hooks";
import { Ask, Dialog, DialogError } from "../../../ui/dialog";
import type { LiveSession } from "../data";

export function Controls({ session }: { session: LiveSession }) {
  const { pid, mayChange } = useProject();
  const [ask, setAsk] = useState("");
  const phase = session.state?.phase ?? session.status?.phase ?? "";
  const wish = (what: string, said: string) =>
    void attempt(post(`p/${pid}/live/${session.name}/wish`, { wish: what }), said);
  if (!mayChange) return null;
  return (
    <>
      {phase === "running" && (
        <button onClick={() => wish("pause", "pausing: movies in hand are finished first")}>
          Pause
        </button>
      )}
      {(phase === "paused" || phase === "stopped") && (
        <button className="main" onClick={() => wish("run", "going on")}>
          Resume
        </button>
      )}
      {(phase === "running" || phase === "paused") && (
        <button onClick={() => setAsk("finish")}>Finish</button>
      )}
      {(phase === "running" || phase === "paused") && (
        <button className="bad" onClick={() => setAsk("stop")}>
          Stop
        </button>
      )}
      {session.status && session.status.accepted > 0 && (
        <button onClick={() => setAsk("snapshot")} title="freeze what is accepted now">
          Snapshot
        </button>
      )}
      {ask === "snapshot" && <Snapshot session={session.name} close={() => setAsk("")} />}
      {(ask === "finish" || ask === "stop") && (
        <Ask
          title={ask === "finish" ? "Finish the session" : "Stop the session"}
          yes={ask === "finish" ? "Finish" : "Stop"}
          close={() => setAsk("")}
          act={() =>
            post(`p/${pid}/live/${session.name}/wish`, { wish: ask }).then(() =>
              tell(ask === "finish" ? "finishing" : "stopping"),
            )
          }
          text={
            ask === "finish"
              ? "What has arrived is processed to the end; new movies are no longer taken; all particles are classified once more; then the report is written."
              : "Work ends now; what is done stays, and the session can be resumed."
          }
        />
      )}
    </>
  );
}

/** Ordinary Select jobs of the accepted micrographs and their particles, which never change. */
function Snapshot({ session, close }: { session: string; close: () => void }) {
  const { pid } = useProject();
  const [name, setName] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const take = async () => {
    setBusy(true);
    try {
      const { lines } = await post<{ lines: string[] }>(`p/${pid}/live/${session}/snapshot`, {
        name: name.trim(),
      });
      tell(lines.join("; ") || "frozen");
      close();
    } catch (reason) {
      setError((reason as Error).message);
    }
    setBusy(false);
  };
  return (
    <Dialog title="Snapshot" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          if (name.trim() && !busy) void take();
        }}
      >
        <div className="dialog-body">
          <label className="row">
            Name{" "}
            <input
              value={name}
              autoFocus
              placeholder="friday"
              aria-invalid={Boolean(error)}
              onChange={event => setName(event.target.value)}
            />
          </label>
          <DialogError text={error} />
          <p className="hint">
            Freezes the accepted micrographs and their particles (those of the chosen classes, if
            classes are chosen) as Select jobs that never change.
          </p>
        </div>
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button className="main" disabled={!name.trim() || busy}>
            {busy ? "…" : "Freeze"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

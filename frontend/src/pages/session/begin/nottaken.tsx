// Files that were seen and not taken, each with its reason; and an answer for any file that somebody misses.
import { useState } from "react";
import { get } from "../../../api/http";
import { useProject } from "../../../context";
import { attempt } from "../../../hooks";
import { baseName, count } from "../../../ui/words";
import type { LiveSession } from "../data";

export function NotTaken({ session }: { session: LiveSession }) {
  const { pid } = useProject();
  const [asked, setAsked] = useState("");
  const [all, setAll] = useState(false);
  const [told, setTold] = useState<string[] | null>(null);
  const s = session.status!;
  const find = () =>
    void attempt(
      get<{ lines: string[] }>(`p/${pid}/live/${session.name}/file`, { text: asked.trim() }),
    ).then(found => setTold(found?.lines ?? null));
  return (
    <div className="not-taken">
      <h3>Not taken{s.waiting_files ? ` (${count(s.waiting_files)})` : ""}</h3>
      {s.not_taken.length === 0 ? (
        <p className="hint">every file that matches was taken</p>
      ) : (
        <ul className="reasons">
          {(all ? s.not_taken : s.not_taken.slice(-4)).map(([file, why]) => (
            <li key={file}>
              <b title={file}>{baseName(file)}</b> {why}
            </li>
          ))}
          {!all && s.not_taken.length > 4 && (
            <li>
              <button className="plain" onClick={() => setAll(true)}>
                all {count(s.not_taken.length)}
                {s.waiting_files > s.not_taken.length ? ` newest of ${count(s.waiting_files)}` : ""}
              </button>
            </li>
          )}
        </ul>
      )}
      <form
        className="why"
        onSubmit={event => {
          event.preventDefault();
          if (asked.trim().length > 1) find();
        }}
      >
        <input
          value={asked}
          onChange={event => {
            setAsked(event.target.value);
            setTold(null);
          }}
          placeholder="missing a file? its name"
          aria-label="name of a file you miss"
        />
        <button disabled={asked.trim().length < 2}>Why?</button>
      </form>
      {told?.map(line => (
        <p key={line} className="told" role="status">
          {line}
        </p>
      ))}
    </div>
  );
}

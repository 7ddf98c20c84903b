// A new session: folder -> what was recognised -> profile -> the first three movies as a check -> Start.
import { useState } from "react";
import { post } from "../../api";
import { useProject } from "../../context";
import { attempt, tell, useData } from "../../hooks";
import { Dialog } from "../../parts";

interface Fact {
  value: string | number;
  source: string;
  assumed: boolean;
}
interface Look {
  facts: Record<string, Fact>;
  warnings: string[];
  missing: string[];
  findings: { about: string; good: boolean; text: string }[];
  checked: string[];
}

const ASKED: [string, string, string, string?][] = [
  ["pixel-size", "Pixel size", "Å"],
  ["kv", "Voltage", "kV"],
  ["cs", "Spherical aberration", "mm"],
  ["amplitude-contrast", "Amplitude contrast", ""],
  ["dose-per-frame", "Dose per frame", "e/Å²"],
  ["bin", "Binning", ""],
  ["eer-grouping", "EER frames a fraction", ""],
  ["gain", "Gain reference", "file"],
  ["gain-rot", "Gain rotation", "× 90°"],
  ["gain-flip", "Gain flip", "0, 1, 2"],
  ["diameter", "Particle diameter", "Å: min,max", "100,180"],
  ["thresholds", "Limits", "", "rlnCtfMaxResolution <= 6"],
  ["movies", "Pattern of the movies", "", "*.tiff"],
  ["name", "Name of the session", "", "live1"],
];
const shown = (value: string | number) =>
  typeof value === "number" ? String(Number(value.toPrecision(6))) : value;

export function NewSessionDialog({ close }: { close: () => void }) {
  const { pid } = useProject();
  const profiles = useData<string[]>(`p/${pid}/live/profiles`);
  const [folder, setFolder] = useState("Movies");
  const [profile, setProfile] = useState("");
  const [given, setGiven] = useState<Record<string, string>>({});
  const [look, setLook] = useState<Look | null>(null);
  const [asked, setAsked] = useState("");
  const [busy, setBusy] = useState("");
  const all = { ...given, ...(profile ? { profile } : {}) };
  const now = JSON.stringify([folder, all]);
  const fresh = look !== null && asked === now;
  const missing = look?.missing.filter(key => !given[key]) ?? [];
  const examine = async () => {
    setBusy("looking at the folder and its first three movies …");
    const found = await attempt(post<Look>(`p/${pid}/live/look`, { folder, given: all }));
    setBusy("");
    if (found) {
      setLook(found);
      setAsked(now);
    }
  };
  const start = async () => {
    setBusy("starting …");
    const found = await attempt(post(`p/${pid}/live`, { folder, given: all }));
    setBusy("");
    if (found) {
      tell("the session runs; it goes on without this page");
      close();
    }
  };
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
            />
          </label>
          <p className="hint">
            In the project, or in a data directory registered with{" "}
            <code>verglas new . --data-root DIR</code>. What EPU, SerialEM or the movies say need
            not be given.
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
          {busy && (
            <p role="status">
              <span className="spinner" /> {busy}
            </p>
          )}
          {look && (
            <>
              <h3>
                What is known{" "}
                {!fresh && <small className="warn">changed since: press Look again</small>}
              </h3>
              <table className="facts">
                <tbody>
                  {ASKED.map(([key, title, unit, example]) => {
                    const fact = look.facts[key],
                      lacks = missing.includes(key);
                    return (
                      <tr
                        key={key}
                        className={lacks ? "lacks" : fact?.assumed && !given[key] ? "assumed" : ""}
                      >
                        <th>
                          <label htmlFor={`given-${key}`}>
                            {title} <small>{unit}</small>
                          </label>
                        </th>
                        <td>
                          <input
                            id={`given-${key}`}
                            value={given[key] ?? ""}
                            placeholder={fact ? shown(fact.value) : (example ?? "")}
                            onChange={event => setGiven({ ...given, [key]: event.target.value })}
                            aria-invalid={lacks}
                          />
                        </td>
                        <td className="hint">
                          {given[key]
                            ? "given here"
                            : fact
                              ? `${fact.assumed ? "assumed: " : ""}${fact.source}`
                              : lacks
                                ? "nobody recorded it: give it"
                                : key === "diameter"
                                  ? "assumed 100,180: look at this first"
                                  : ""}
                        </td>
                      </tr>
                    );
                  })}
                </tbody>
              </table>
              {look.warnings.map(each => (
                <p key={each} className="warn">
                  ! {each}
                </p>
              ))}
              <h3>
                The first movies as a check{" "}
                {look.checked.length > 0 && (
                  <small className="hint">{look.checked.join(", ")}</small>
                )}
              </h3>
              {look.checked.length === 0 ? (
                <p className="hint">
                  No complete movie is there yet. The session compares the first three as soon as
                  they are, and says here what does not fit.
                </p>
              ) : (
                <ul className="findings">
                  {look.findings.map(each => (
                    <li key={each.text} className={each.good ? "" : "bad"}>
                      <b>
                        {each.good ? "✓" : "✕"} {each.about}
                      </b>{" "}
                      {each.text}
                    </li>
                  ))}
                </ul>
              )}
            </>
          )}
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
    </Dialog>
  );
}

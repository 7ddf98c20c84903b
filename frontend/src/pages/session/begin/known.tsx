// What is known of the movies, each value with its source, and the first of them as a check.
import type { Look } from "../../../api/types";

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

export function Known({
  look,
  fresh,
  missing,
  given,
  give,
}: {
  look: Look;
  fresh: boolean;
  missing: string[];
  given: Record<string, string>;
  give: (key: string, text: string) => void;
}) {
  return (
    <>
      <h3>
        What is known {!fresh && <small className="warn">changed since: press Look again</small>}
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
                    onChange={event => give(key, event.target.value)}
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
        {look.checked.length > 0 && <small className="hint">{look.checked.join(", ")}</small>}
      </h3>
      {look.checked.length === 0 ? (
        <p className="hint">
          No complete movie is there yet. The session compares the first three as soon as they are,
          and says here what does not fit.
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
  );
}

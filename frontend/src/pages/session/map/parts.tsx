// What each grid square or hour adds to the map, for each of its movies: bars with their errors, the worst first.
import { useState } from "react";
import type { SessionPart } from "../../../api/types";
import { count } from "../../../ui/words";

const SHOWN = 8,
  WIDEST = 2; // times the mean: where bars end
const RANK: Record<string, number> = { nothing: 0, little: 1, "": 2 };

/** Parts by how little they surely add; hours stay in their order. */
export function ordered(parts: SessionPart[]): SessionPart[] {
  if (parts.some(each => each.begin !== null)) return parts;
  return [...parts].sort(
    (a, b) => RANK[a.adds.verdict] - RANK[b.adds.verdict] || a.adds.per_movie - b.adds.per_movie,
  );
}

const place = (value: number) => 100 * Math.max(0, Math.min(1, value / WIDEST));

export function PartsPanel({ title, parts }: { title: string; parts: SessionPart[] }) {
  const [all, setAll] = useState(false);
  if (!parts.length) return null;
  const rows = ordered(parts);
  const byHour = parts[0].begin !== null;
  const shown = all ? rows : byHour ? rows.slice(-SHOWN) : rows.slice(0, SHOWN);
  return (
    <section className="map-parts" aria-label={title}>
      <h3 title="Signal of its particles for each movie, the mean over all movies being 1. Signal: Pmax above that of particles of junk classes; movies that were set aside add nothing. The line is the standard error. Words stand only where they are sure.">
        {title} <small>a movie, mean 1</small>
      </h3>
      <table>
        <tbody>
          {shown.map(({ name, adds }) => (
            <tr key={name} className={adds.verdict}>
              <th>{name}</th>
              <td className="part-bar">
                <i style={{ width: `${place(adds.per_movie)}%` }} />
                <s
                  style={{
                    left: `${place(adds.per_movie - adds.error)}%`,
                    width: `${place(adds.per_movie + adds.error) - place(adds.per_movie - adds.error)}%`,
                  }}
                />
              </td>
              <td>
                {Math.max(0, adds.per_movie).toFixed(2)} ± {adds.error.toFixed(2)}
              </td>
              <td title={`${count(adds.particles)} particles in the map`}>
                {count(adds.movies)} {adds.movies === 1 ? "movie" : "movies"}
              </td>
              <td className="part-verdict">{adds.verdict && `adds ${adds.verdict}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > SHOWN && (
        <button className="plain" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "fewer" : `all ${rows.length}`}
        </button>
      )}
    </section>
  );
}

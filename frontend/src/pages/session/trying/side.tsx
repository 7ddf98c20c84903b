// One side of a comparison: the picture with its picks, and its spectrum.
import { count } from "../../../ui/words";
import type { Drawn } from "../data";
import { MicrographThumb, picksPath } from "./thumb";
import { thresholdOf } from "./use";

export function Side({
  title,
  drawn,
  picture,
  spectrum,
  diameter,
  adjust,
  colour,
  empty,
}: {
  title: string;
  drawn: Drawn | null;
  picture: string;
  spectrum: string;
  diameter: number;
  adjust: number;
  colour?: string;
  empty?: string;
}) {
  const threshold = thresholdOf(drawn, adjust),
    picks = drawn ? picksPath(drawn, diameter, threshold).count : null;
  return (
    <figure className="side">
      <figcaption>
        <b>{title}</b>
        {picks !== null && ` · ${count(picks)} picks`}
      </figcaption>
      {picture ? (
        <MicrographThumb
          wide
          alt={title}
          src={picture}
          drawn={drawn}
          diameterAngst={diameter}
          threshold={threshold}
          colour={colour}
        />
      ) : (
        <div className="empty-side">{empty}</div>
      )}
      {spectrum && (
        <img
          className="spectrum"
          alt={`power spectrum ${title}`}
          src={spectrum}
          onError={event => {
            event.currentTarget.style.display = "none";
          }}
          onLoad={event => {
            event.currentTarget.style.display = "";
          }}
        />
      )}
    </figure>
  );
}

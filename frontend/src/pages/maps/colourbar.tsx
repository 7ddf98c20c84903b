// A colour scale with its ends and what it stands for.
import { number } from "../../ui/words";
import { RESOLUTIONS } from "./colours";

export function ColourBar({
  range,
  text,
  colours = RESOLUTIONS,
}: {
  range: [number, number];
  text: string;
  colours?: string[];
}) {
  return (
    <div className="colour-bar" role="img" aria-label={`${text}: ${range.map(v => number(v))}`}>
      <span>{number(range[0])}</span>
      <i style={{ background: `linear-gradient(90deg, ${colours.join(", ")})` }} />
      <span>{number(range[1])}</span>
      <small>{text}</small>
    </div>
  );
}

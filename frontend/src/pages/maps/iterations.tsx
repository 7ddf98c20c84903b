// A slider through the iterations that a map belongs to, with the resolution of each where it is known.
import { useProject } from "../../context";
import { useData } from "../../hooks";
import { number } from "../../ui/words";

interface Progress {
  iterations: { iteration: number; resolution_angst?: number | null }[];
}
const IT = /_it(\d{3,})_/;
const without = (path: string) => path.replace(IT, "_itNNN_");

/** The resolution that an iteration of a job reached, in Å. */
export function useResolutions(path: string): Map<number, number> {
  const { pid } = useProject();
  const job = /^([^/]+\/job\d+)\//.exec(path)?.[1] ?? "";
  const found = useData<Progress>(job ? `p/${pid}/jobs/${job}/progress` : null);
  return new Map(
    (found.data?.iterations ?? [])
      .filter(each => typeof each.resolution_angst === "number")
      .map(each => [each.iteration, each.resolution_angst as number]),
  );
}

export function IterationSlider({
  path,
  maps,
  choose,
}: {
  path: string;
  maps: string[];
  choose: (path: string) => void;
}) {
  const series = maps.filter(each => IT.test(each) && without(each) === without(path)).sort();
  const resolutions = useResolutions(series.length > 1 ? path : "");
  if (series.length < 2) return null;
  const at = Number(IT.exec(path)?.[1]);
  const angst = resolutions.get(at);
  return (
    <label className="slider">
      iteration {at}
      {angst !== undefined && `: ${number(angst)} Å`}
      <input
        type="range"
        aria-label="iteration"
        min={0}
        max={series.length - 1}
        value={series.indexOf(path)}
        onChange={event => choose(series[Number(event.target.value)])}
      />
    </label>
  );
}

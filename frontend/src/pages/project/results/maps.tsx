// The middle sections of the maps a job has made, and the curves of its post-processing.
import { address } from "../../../api/http";
import type { Job } from "../../../api/types";
import { useProject } from "../../../context";
import { link } from "../../../hooks";
import { baseName } from "../../../ui/words";
import { Curves } from "../../maps/curves";

const SHOWN = 4;

export function MapStrip({ job }: { job: Job }) {
  const { pid } = useProject();
  const maps = job.outputs.filter(
    each => each.exists && /\.mrc$/.test(each.name) && /map|mask/.test(each.type),
  );
  const star = job.outputs.find(each => each.exists && each.name.endsWith("postprocess.star"));
  if (!maps.length) return null;
  return (
    <section className="result" aria-label="maps">
      <h3>Maps</h3>
      <div className="map-strip">
        {maps.slice(0, SHOWN).map(each => (
          <a key={each.name} href={link(pid, "maps", { a: each.name })}>
            <img
              alt={`middle section of ${baseName(each.name)}`}
              src={address(`p/${pid}/maps/slice`, { path: each.name, axis: "z", position: 0.5 })}
            />
            <small>{baseName(each.name)}</small>
          </a>
        ))}
      </div>
      {star && <Curves pid={pid} path={star.name} />}
    </section>
  );
}

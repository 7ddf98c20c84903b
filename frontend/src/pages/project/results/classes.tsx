// The largest classes of a classification, as its last iteration has them.
import { address } from "../../../api/http";
import type { Gallery, Job } from "../../../api/types";
import { useProject } from "../../../context";
import { link, useData } from "../../../hooks";
import { count, number } from "../../../ui/words";
import { ordered } from "../../classes/order";

const SHOWN = 10,
  SIDE = 64; // pixels

export function ClassStrip({ job }: { job: Job }) {
  const { pid } = useProject();
  const known = useData<{ models: string[] }>(`p/${pid}/classes`);
  const model = known.data?.models.find(each => each.startsWith(job.name));
  const gallery = useData<Gallery>(model ? `p/${pid}/classes/gallery` : null, { model }).data;
  if (!gallery || gallery.dimensions !== 2) return null;
  const columns = Math.min(gallery.columns, gallery.classes.length),
    lines = Math.ceil(gallery.classes.length / gallery.columns);
  const sheet = address(`p/${pid}/classes/sprite`, { model: gallery.model, v: gallery.changed });
  const empty = gallery.classes.filter(each => each.empty).length;
  return (
    <section className="result" aria-label="classes">
      <h3>
        <a href={link(pid, "classes", { model: gallery.model })}>
          {gallery.classes.length} classes, iteration {gallery.iteration}
        </a>{" "}
        {empty > 0 && <small>{empty} empty</small>}
      </h3>
      <div className="class-strip">
        {ordered(gallery.classes, "share", false, false)
          .slice(0, SHOWN)
          .map(row => (
            <figure key={row.number} title={`class ${row.number}`}>
              <i
                style={{
                  width: SIDE,
                  height: SIDE,
                  backgroundImage: `url("${sheet}")`,
                  backgroundSize: `${columns * SIDE}px ${lines * SIDE}px`,
                  backgroundPosition: `${-((row.number - 1) % gallery.columns) * SIDE}px ${-Math.floor((row.number - 1) / gallery.columns) * SIDE}px`,
                }}
              />
              <figcaption>
                {row.particles === null
                  ? `${(row.share * 100).toFixed(0)} %`
                  : count(row.particles)}
                {row.resolution_angst !== null && ` · ${number(row.resolution_angst, 2)} Å`}
              </figcaption>
            </figure>
          ))}
      </div>
    </section>
  );
}

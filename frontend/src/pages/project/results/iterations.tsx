// A refinement's iterations as they come: resolution, how sure the poses are, how many classes changed hands.
import { useMemo, useState } from "react";
import { useProject } from "../../../context";
import { link, useData } from "../../../hooks";
import { asResolution, LinePlot } from "../../../plots/lines";
import type { Job } from "../../../api/types";
import { number } from "../../../ui/words";

interface Iteration {
  iteration: number;
  iterations: number;
  s: number;
  [figure: string]: number | boolean | null | number[];
}
interface Progress {
  iterations: Iteration[];
  stage: { title: string } | null;
}

const FIGURES: [string, string, string][] = [
  ["resolution_angst", "resolution", "Å"],
  ["average_p_max", "average of the highest probability", ""],
  ["changed_classes", "share that changed class", ""],
  ["changed_angles_deg", "change of angles", "°"],
  ["changed_offsets_angst", "change of offsets", "Å"],
  ["accuracy_rot_deg", "accuracy of angles", "°"],
  ["accuracy_shift_angst", "accuracy of offsets", "Å"],
  ["angular_step_deg", "angular step", "°"],
  ["sigma_offset_angst", "spread of offsets", "Å"],
  ["seconds", "time", "s"],
];
const NONE: Iteration[] = [];
const FSC_RANGE: [number, number] = [-0.1, 1];
const GOLD = [{ y: 0.143, text: "0.143" }];
const BY_ITSELF = 999; // iterations at most of a refinement that ends by itself

/** The model of an iteration; the last one of two half-sets joins them and has no number. */
function modelOf(job: Job, last: Iteration): string {
  if (last.converged) return `${job.name}run_model.star`;
  const half = job.has_halves ? "_half1" : "";
  return `${job.name}run_it${String(last.iteration).padStart(3, "0")}${half}_model.star`;
}

function howFar(last: Iteration): string {
  if (last.iterations < BY_ITSELF) return ` of ${last.iterations}`;
  return last.converged ? ", converged" : `, about ${last.iterations_left} more`;
}

function Fsc({ last }: { last: Iteration }) {
  const curve = last.fsc;
  const extent = last.shell_angst;
  const y = useMemo(() => (Array.isArray(curve) ? curve : []), [curve]);
  const series = useMemo(() => [{ name: "FSC", y }], [y]);
  const x = useMemo(() => y.map((_, shell) => shell / Number(extent)), [y, extent]);
  if (!y.length) return null;
  return (
    <LinePlot
      x={x}
      series={series}
      title="FSC of the half-sets"
      xTitle="spatial frequency (1/Å)"
      yTitle="FSC"
      xSaid={asResolution}
      height={160}
      yRange={FSC_RANGE}
      marks={GOLD}
    />
  );
}

export function Iterations({
  path,
  job,
  page,
}: {
  path: string;
  job: Job;
  page: "classes" | "maps";
}) {
  const { pid } = useProject();
  const progress = useData<Progress>(`${path}/progress`);
  const [figure, setFigure] = useState(FIGURES[0][0]);
  const all = progress.data?.iterations ?? NONE;
  const values = (key: string) =>
    all.map(each => {
      const value = each[key];
      return typeof value === "number" ? value : null;
    });
  const known = FIGURES.filter(([key]) => values(key).some(value => value !== null));
  const series = useMemo(() => [{ name: figure, y: values(figure) }], [all, figure]); // eslint-disable-line
  const x = useMemo(() => all.map(each => each.iteration), [all]);
  if (!all.length) return null;
  const last = all[all.length - 1];
  const model = modelOf(job, last);
  const shown = known.find(([key]) => key === figure);
  return (
    <section className="iterations" aria-label="iterations">
      <p>
        iteration <b>{last.iteration}</b>
        {howFar(last)}
        {known.slice(0, 3).map(([key, title, unit]) => (
          <span key={key}>
            {" "}
            · {title} <b>{number(values(key).at(-1) ?? NaN)}</b> {unit}
          </span>
        ))}{" "}
        · <a href={link(pid, page, { model })}>{page === "classes" ? "its classes" : "its maps"}</a>
      </p>
      {all.length > 1 && (
        <details>
          <summary>All iterations</summary>
          <select
            value={figure}
            onChange={event => setFigure(event.target.value)}
            aria-label="figure"
          >
            {known.map(([key, title, unit]) => (
              <option key={key} value={key}>
                {title}
                {unit && ` (${unit})`}
              </option>
            ))}
          </select>
          <LinePlot
            title={shown?.[1] ?? figure}
            x={x}
            series={series}
            xTitle="iteration"
            yTitle={`${shown?.[1] ?? figure}${shown?.[2] ? ` (${shown[2]})` : ""}`}
            height={160}
          />
          <Fsc last={last} />
        </details>
      )}
    </section>
  );
}

// What a job has found so far, inside its panel: classes, averages, maps and FSC, figures of its micrographs.
import type { Job } from "../../../api/types";
import { Boundary } from "../../../ui/boundary";
import { ClassStrip } from "./classes";
import { Iterations } from "./iterations";
import { MapStrip } from "./maps";
import { MicrographStrip } from "./micrographs";

export function Results({ path, job }: { path: string; job: Job }) {
  const page = job.page === "classes" || job.page === "maps" ? job.page : null;
  const list = job.outputs.find(each => each.exists && each.type === "micrographs")?.name;
  const picked = job.inputs.find(each => each.exists && each.type === "micrographs")?.name;
  const ofPicks = job.outputs.some(each => each.exists && each.type === "coordinates");
  return (
    <>
      {page && <Iterations path={path} job={job} page={page} />}
      {page === "classes" && <ClassStrip job={job} />}
      <Boundary what="The maps">
        <MapStrip job={job} />
      </Boundary>
      {list && <MicrographStrip list={list} stage={job.folder} />}
      {!list && ofPicks && picked && <MicrographStrip list={picked} stage={job.folder} />}
    </>
  );
}

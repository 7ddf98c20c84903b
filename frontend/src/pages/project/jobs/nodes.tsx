// What a job reads and makes, each with the page that shows it.
import type { Job } from "../../../api/types";
import { useProject } from "../../../context";
import { link } from "../../../hooks";
import { baseName, viewerOf } from "../../../ui/words";

export function NodeList({ title, nodes, job }: { title: string; nodes: Job["inputs"]; job: Job }) {
  const { pid, jobs } = useProject();
  /** Whether a job that is to make a file is still to run (or to end). */
  const comes = (maker: string) =>
    jobs.data?.jobs.some(each => each.name === maker && each.list !== "Finished");
  return (
    <div>
      <h3>{title}</h3>
      {nodes.map(node => (
        <span
          key={node.name}
          className={node.exists ? "node" : "node expected"}
          title={`${node.name} (${node.type})`}
        >
          {node.exists ? (
            <a href={viewerOf(pid, node)}>{baseName(node.name)}</a>
          ) : (
            <>
              {baseName(node.name)}{" "}
              <em>
                {comes(title === "Input" ? node.producer : job.name) ? "expected" : "missing"}
              </em>
            </>
          )}
          {title === "Input" && node.producer && (
            <a className="from" href={link(pid, "project", { job: node.producer })}>
              {node.producer.replace(/\/$/, "")}
            </a>
          )}
        </span>
      ))}
      {nodes.length === 0 && <span className="hint">none</span>}
    </div>
  );
}

/** Every file of the job: STAR files as tables, others as they are; all can be downloaded. */
export function FileList({ job }: { job: Job }) {
  const { pid } = useProject();
  if (!job.files.length) return null;
  const file = (name: string, download = false) =>
    `api/p/${pid}/file?path=${encodeURIComponent(job.name + name)}${download ? "&download=true" : ""}`;
  return (
    <details className="files">
      <summary>Files ({job.files.length})</summary>
      {job.files.map(name => (
        <span key={name} className="file">
          <a
            href={
              name.endsWith(".star") ? link(pid, "tables", { path: job.name + name }) : file(name)
            }
            target={name.endsWith(".star") ? undefined : "_blank"}
          >
            {name}
          </a>{" "}
          <a
            href={file(name, true)}
            download
            title={`download ${name}`}
            aria-label={`download ${name}`}
          >
            ⤓
          </a>
        </span>
      ))}
    </details>
  );
}

// The job graph: columns by distance from the start, a click opens the job.
import {
  Background,
  Controls,
  Handle,
  Position,
  ReactFlow,
  type Edge as FlowEdge,
  type Node,
  type NodeProps,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { memo, useMemo } from "react";
import type { Jobs, JobRow } from "../../types";
import { STATES, shownName } from "../../words";

const WIDE = 146,
  TALL = 70;

type JobNode = Node<{ job: JobRow; chosen: boolean }>;

const Box = memo(function Box({ data }: NodeProps<JobNode>) {
  const state = STATES[data.job.status];
  const [folder, rest] = shownName(data.job).split("/");
  return (
    <div
      className={`job-box ${state?.className ?? ""}${data.chosen ? " chosen" : ""}`}
      title={`${data.job.name} ${data.job.status} ${data.job.reason}`}
    >
      <Handle type="target" position={Position.Left} />
      <span className={`state ${state?.className}`}>{state?.sign}</span>
      <span className="job-box-text">
        <b>{rest ?? folder}</b>
        <small>{folder}</small>
      </span>
      {data.job.bar && data.job.bar.fraction < 1 && (
        <i className="job-box-bar" style={{ width: `${data.job.bar.fraction * 100}%` }} />
      )}
      <Handle type="source" position={Position.Right} />
    </div>
  );
});

const kinds = { job: Box };

/** Column = longest way from a job without parents; row = first free place near the parents. */
function places(jobs: Jobs): Map<string, { x: number; y: number }> {
  const parents = new Map<string, string[]>();
  for (const edge of jobs.edges) parents.set(edge.to, [...(parents.get(edge.to) ?? []), edge.from]);
  const column = new Map<string, number>();
  const depth = (name: string, seen: Set<string>): number => {
    if (column.has(name)) return column.get(name)!;
    if (seen.has(name)) return 0;
    seen.add(name);
    const found = Math.max(-1, ...(parents.get(name) ?? []).map(each => depth(each, seen))) + 1;
    column.set(name, found);
    return found;
  };
  const taken = new Map<number, Set<number>>();
  const row = new Map<string, number>();
  const order = [...jobs.jobs].sort((a, b) => depth(a.name, new Set()) - depth(b.name, new Set()));
  for (const job of order) {
    const c = column.get(job.name) ?? 0;
    const used = taken.get(c) ?? new Set<number>();
    const wish = Math.min(
      ...(parents.get(job.name) ?? []).map(each => row.get(each) ?? 0),
      Infinity,
    );
    let r = isFinite(wish) ? wish : 0;
    while (used.has(r)) r++;
    used.add(r);
    taken.set(c, used);
    row.set(job.name, r);
  }
  return new Map(
    jobs.jobs.map(job => [
      job.name,
      { x: (column.get(job.name) ?? 0) * WIDE, y: (row.get(job.name) ?? 0) * TALL },
    ]),
  );
}

export function JobGraph({
  jobs,
  chosen,
  choose,
}: {
  jobs: Jobs;
  chosen: string;
  choose: (name: string) => void;
}) {
  const shape =
    jobs.jobs.map(job => job.name).join() + jobs.edges.map(edge => edge.from + edge.to).join();
  const at = useMemo(() => places(jobs), [shape]); // eslint-disable-line
  const nodes: JobNode[] = useMemo(
    () =>
      jobs.jobs.map(job => ({
        id: job.name,
        type: "job",
        position: at.get(job.name)!,
        data: { job, chosen: job.name === chosen },
        draggable: false,
        connectable: false,
      })),
    [jobs, chosen, at],
  );
  const edges: FlowEdge[] = useMemo(
    () =>
      jobs.edges.map(edge => ({
        id: `${edge.node}>${edge.to}`,
        source: edge.from,
        target: edge.to,
        className: edge.from === chosen || edge.to === chosen ? "edge-chosen" : "",
        animated: jobs.jobs.find(job => job.name === edge.to)?.status === "Running",
      })),
    [jobs, chosen],
  );
  return (
    <ReactFlow
      key={shape.length}
      nodes={nodes}
      edges={edges}
      nodeTypes={kinds}
      fitView
      fitViewOptions={{ padding: 0.12, maxZoom: 1 }}
      minZoom={0.05}
      maxZoom={1.6}
      nodesDraggable={false}
      nodesConnectable={false}
      onNodeClick={(_, node) => choose(node.id)}
      onlyRenderVisibleElements
      proOptions={{ hideAttribution: true }}
    >
      <Background gap={24} size={1} color="#dbe2e9" />
      <Controls showInteractive={false} position="bottom-right" />
    </ReactFlow>
  );
}

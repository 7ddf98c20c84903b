// The job graph: a click opens the job; found by name, with a map of the whole when it is large.
import {
  Background,
  Controls,
  Handle,
  MiniMap,
  Panel,
  Position,
  ReactFlow,
  type Edge as FlowEdge,
  type Node,
  type NodeProps,
  type ReactFlowInstance,
} from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { memo, useEffect, useMemo, useRef, useState } from "react";
import type { Jobs, JobRow } from "../../api/types";
import { useColours } from "../../shell/theme";
import { shownName } from "../../ui/words";
import { shownState } from "./rounds";
import { around, BOX, places } from "./places";

const LARGE = 24, // jobs, from which a map of the whole helps
  MAP = { width: 120, height: 84 }, // pixels
  FIT = { padding: 0.12, maxZoom: 1 };

type JobNode = Node<{ job: JobRow; chosen: boolean; pale: boolean }>;

const Box = memo(function Box({ data }: NodeProps<JobNode>) {
  const { job, chosen, pale } = data;
  const { sign, className } = shownState(job);
  const [folder, rest] = shownName(job).split("/");
  return (
    <div
      className={`job-box ${className}${chosen ? " chosen" : ""}${pale ? " pale" : ""}`}
      style={{ width: BOX[0], height: BOX[1] }}
      title={`${job.name} ${job.status} ${job.reason}`}
    >
      <Handle type="target" position={Position.Left} />
      <span className={`state ${className}`}>{sign}</span>
      <span className="job-box-text">
        <b>{rest ?? folder}</b>
        <small>{folder}</small>
      </span>
      {job.bar && job.bar.fraction < 1 && (
        <i className="job-box-bar" style={{ width: `${job.bar.fraction * 100}%` }} />
      )}
      <Handle type="source" position={Position.Right} />
    </div>
  );
});

const kinds = { job: Box };
const fits = (job: JobRow, text: string) =>
  `${job.name} ${job.alias}`.toLowerCase().includes(text.toLowerCase());

/** Nodes with their sizes; one whose job did not change is the same object as before. */
function useNodes(jobs: Jobs, chosen: string, find: string): JobNode[] {
  const shape =
    jobs.jobs.map(job => job.name).join() + jobs.edges.map(edge => edge.from + edge.to).join();
  const at = useMemo(() => places(jobs), [shape]); // eslint-disable-line react-hooks/exhaustive-deps
  const cache = useMemo(() => new Map<string, JobNode>(), []);
  return useMemo(
    () =>
      jobs.jobs.map(job => {
        const data = { job, chosen: job.name === chosen, pale: Boolean(find) && !fits(job, find) };
        const position = at.get(job.name)!,
          before = cache.get(job.name);
        if (
          before &&
          before.position === position &&
          before.data.job === job &&
          before.data.chosen === data.chosen &&
          before.data.pale === data.pale
        )
          return before;
        const node: JobNode = {
          id: job.name,
          type: "job",
          position,
          data,
          width: BOX[0],
          height: BOX[1],
          measured: { width: BOX[0], height: BOX[1] },
          draggable: false,
          connectable: false,
        };
        cache.set(job.name, node);
        return node;
      }),
    [jobs, chosen, at, find, cache],
  );
}

function useEdges(jobs: Jobs, chosen: string): FlowEdge[] {
  return useMemo(() => {
    const running = new Set(jobs.jobs.filter(job => job.status === "Running").map(job => job.name));
    return jobs.edges.map(edge => ({
      id: `${edge.node}>${edge.to}`,
      source: edge.from,
      target: edge.to,
      className: edge.from === chosen || edge.to === chosen ? "edge-chosen" : "",
      animated: running.has(edge.to),
    }));
  }, [jobs, chosen]);
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
  const [find, setFind] = useState("");
  const nodes = useNodes(jobs, chosen, find);
  const edges = useEdges(jobs, chosen);
  const colours = useColours();
  const flow = useRef<ReactFlowInstance<JobNode> | null>(null);
  const shown = jobs.jobs.length,
    large = shown >= LARGE;
  const view = useMemo(
    () => (large ? { ...FIT, padding: 0.3, nodes: around(jobs, chosen).map(id => ({ id })) } : FIT),
    [shown, chosen], // eslint-disable-line react-hooks/exhaustive-deps -- a job that goes on moves nothing
  );
  useEffect(() => {
    void flow.current?.fitView(view);
  }, [view, shown]);
  const to = (names: string[]) =>
    void flow.current?.fitView({
      nodes: names.map(id => ({ id })),
      maxZoom: 1.1,
      padding: 0.4,
      duration: 250,
    });
  const search = () => {
    const found = jobs.jobs.filter(job => fits(job, find)).map(job => job.name);
    if (find && found.length) to(found);
    if (found.length === 1) choose(found[0]);
  };
  return (
    <ReactFlow
      nodes={nodes}
      edges={edges}
      nodeTypes={kinds}
      colorMode={colours.dark ? "dark" : "light"}
      onInit={made => {
        flow.current = made;
      }}
      fitView
      fitViewOptions={view}
      minZoom={0.05}
      maxZoom={1.6}
      nodesDraggable={false}
      nodesConnectable={false}
      onNodeClick={(_, node) => choose(node.id)}
      onlyRenderVisibleElements
      proOptions={{ hideAttribution: true }}
    >
      <Background gap={24} size={1} color={colours.line} />
      <Controls showInteractive={false} position="bottom-right" />
      {shown > 4 && (
        <Panel position="top-left" className="graph-find">
          <form
            role="search"
            onSubmit={event => {
              event.preventDefault();
              search();
            }}
          >
            <input
              value={find}
              placeholder="find a job"
              aria-label="find a job"
              onChange={event => setFind(event.target.value)}
              onKeyDown={event => event.key === "Escape" && setFind("")}
            />
          </form>
          {chosen && (
            <button onClick={() => to([chosen])} title="zoom to the chosen job">
              ◎
            </button>
          )}
        </Panel>
      )}
      {large && (
        <MiniMap
          pannable
          zoomable
          position="bottom-left"
          style={MAP}
          bgColor={colours.paper}
          maskColor={`${colours.soft}33`}
          nodeColor={node => (node.data.chosen ? colours.blue : colours.soft)}
          nodeStrokeWidth={0}
        />
      )}
    </ReactFlow>
  );
}

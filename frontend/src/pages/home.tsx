// Every project of this server.
import { link, useData } from "../hooks";
import { Empty, Loading, Problem, State } from "../parts";
import type { ProjectRow, Who } from "../types";

export function HomePage({ who }: { who: Who }) {
  const projects = useData<ProjectRow[]>("projects");
  return (
    <main className="home">
      <h1>verglas</h1>
      {projects.error && <Problem text={projects.error} retry={projects.reload} />}
      {projects.loading && <Loading />}
      {projects.data?.length === 0 && (
        <Empty title="No project here yet.">
          Make one with <code>verglas new DIR</code>, then <code>verglas gui DIR</code>.
        </Empty>
      )}
      <div className="cards">
        {projects.data?.map(each => (
          <a key={each.id} className="card" href={link(each.id, "project")}>
            <b>{each.title}</b>
            <span className="path">{each.path}</span>
            <span className="counts">
              {Object.entries(each.jobs).map(([state, n]) => (
                <span key={state}>
                  <State of={state} /> {n} {state.toLowerCase()}
                </span>
              ))}
              {Object.keys(each.jobs).length === 0 && "no jobs yet"}
            </span>
          </a>
        ))}
      </div>
      <footer>verglas {who.version}</footer>
    </main>
  );
}

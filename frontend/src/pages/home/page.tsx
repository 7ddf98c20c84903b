// Every project of this server; operators open and make further ones.
import { useState } from "react";
import { post } from "../../api/http";
import type { ProjectRow, Who } from "../../api/types";
import { Places } from "../../files/places";
import { go, link, useData } from "../../hooks";
import { ThemeSwitch } from "../../shell/themeswitch";
import { Dialog, DialogError } from "../../ui/dialog";
import { Empty, Loading, Problem, State } from "../../ui/parts";

export function HomePage({ who }: { who: Who }) {
  const projects = useData<ProjectRow[]>("projects");
  const [opening, setOpening] = useState(false);
  const mayOpen = who.role === "operator" && !who.project;
  return (
    <main className="home">
      <header>
        <h1>verglas</h1>
        <span className="grow" />
        {mayOpen && <button onClick={() => setOpening(true)}>Open or make a project</button>}
        <ThemeSwitch />
      </header>
      {projects.error && <Problem text={projects.error} retry={projects.reload} />}
      {projects.loading && <Loading />}
      {projects.data?.length === 0 && (
        <Empty title="No project here yet.">
          Open one with the button above, or make one with <code>verglas new DIR</code> and start{" "}
          <code>verglas gui DIR</code>.
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
      {opening && <OpenProject close={() => setOpening(false)} />}
    </main>
  );
}

function OpenProject({ close }: { close: () => void }) {
  const [path, setPath] = useState("");
  const [isProject, setIsProject] = useState(false);
  const [error, setError] = useState("");
  const open = (create: boolean) =>
    post<{ id: string }>("projects", { path: path.trim(), create }).then(
      made => go(link(made.id, "project")),
      reason => setError((reason as Error).message),
    );
  return (
    <Dialog title="Open or make a project" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          if (path.trim()) void open(!isProject);
        }}
      >
        <div className="dialog-body">
          <label className="row">
            Directory{" "}
            <input
              className="wide-field"
              value={path}
              autoFocus
              placeholder="/data/grid3"
              aria-invalid={Boolean(error)}
              onChange={event => {
                setPath(event.target.value);
                setIsProject(false);
              }}
            />
          </label>
          <DialogError text={error} />
          <Places
            start=""
            choose={(to, known) => {
              setPath(to);
              setIsProject(known);
              setError("");
            }}
          />
        </div>
        <footer>
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="button" disabled={!path.trim()} onClick={() => void open(false)}>
            Open
          </button>
          <button className="main" disabled={!path.trim()}>
            {isProject ? "Open this project" : "Make a project here"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

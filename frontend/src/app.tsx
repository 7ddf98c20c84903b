// The frame: who is here, which project, which page.
import { lazy, Suspense, useEffect, useState } from "react";
import { post } from "./api";
import { Context } from "./context";
import { attempt, go, link, useData, useRoute, useWatch } from "./hooks";
import { HomePage } from "./pages/home";
import { ProjectPage } from "./pages/project/page";
import { Loading, Messages, Problem } from "./parts";
import { TopBar } from "./topbar";
import type { Jobs, ProjectRow, Who } from "./types";

const pages: Record<string, React.ComponentType> = {
  project: ProjectPage,
  session: lazy(() => import("./pages/session/page").then(m => ({ default: m.SessionPage }))),
  micrographs: lazy(() =>
    import("./pages/micrographs/page").then(m => ({ default: m.MicrographPage })),
  ),
  classes: lazy(() => import("./pages/classes").then(m => ({ default: m.ClassesPage }))),
  maps: lazy(() => import("./pages/maps/page").then(m => ({ default: m.MapsPage }))),
  tables: lazy(() => import("./pages/tables").then(m => ({ default: m.TablesPage }))),
  report: lazy(() => import("./pages/report").then(m => ({ default: m.ReportPage }))),
};

export function App() {
  const who = useData<Who>("session");
  const route = useRoute();
  useEffect(() => {
    const token =
      route.query.get("token") ?? new URLSearchParams(location.hash.split("?")[1]).get("token");
    if (!token) return;
    const clean = location.hash.split("?")[0];
    void attempt(post("session", { token })).then(() => {
      history.replaceState(null, "", clean);
      who.reload();
      go(clean || "#/", true);
    });
  }, [location.hash]); // eslint-disable-line
  if (who.error) return <Problem text={who.error} retry={who.reload} />;
  if (!who.data) return <Loading what="verglas" />;
  if (!who.data.role) return <LogIn reload={who.reload} />;
  return (
    <>
      {route.pid ? (
        <ProjectFrame key={route.pid} pid={route.pid} page={route.page} who={who.data} />
      ) : (
        <HomePage who={who.data} />
      )}
      <Messages />
    </>
  );
}

function ProjectFrame({ pid, page, who }: { pid: string; page: string; who: Who }) {
  const watch = useWatch(pid);
  const jobs = useData<Jobs>(`p/${pid}/jobs`, {}, watch.version);
  const projects = useData<ProjectRow[]>("projects");
  const title = projects.data?.find(each => each.id === pid)?.title ?? "";
  const Page = pages[page] ?? ProjectPage;
  useEffect(() => {
    document.title = title ? `${title} · verglas` : "verglas";
  }, [title]);
  return (
    <Context.Provider value={{ pid, title, who, mayChange: who.role === "operator", watch, jobs }}>
      <TopBar page={page} projects={projects.data ?? []} />
      <main className={`page page-${page}`}>
        <Suspense fallback={<Loading />}>
          <Page />
        </Suspense>
      </main>
    </Context.Provider>
  );
}

function LogIn({ reload }: { reload: () => void }) {
  const [token, setToken] = useState("");
  return (
    <form
      className="login"
      onSubmit={event => {
        event.preventDefault();
        void attempt(post("session", { token: token.trim() })).then(good => good && reload());
      }}
    >
      <h1>verglas</h1>
      <p>
        This server asks who you are. Open the link that <code>verglas gui</code> printed, or paste
        the token at its end.
      </p>
      <label>
        Token{" "}
        <input
          type="password"
          value={token}
          onChange={event => setToken(event.target.value)}
          autoFocus
          autoComplete="off"
        />
      </label>
      <button className="main" disabled={!token.trim()}>
        Come in
      </button>
      <Messages />
    </form>
  );
}

export { link };

// The frame: who is here, which project, which page.
import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { post } from "./api/http";
import type { Jobs, ProjectRow, Who } from "./api/types";
import { useWatch } from "./api/watch";
import { Context } from "./context";
import { attempt, go, useData, useReread, useRoute } from "./hooks";
import { HomePage } from "./pages/home/page";
import { ProjectPage } from "./pages/project/page";
import { TopBar } from "./shell/topbar";
import { Boundary } from "./ui/boundary";
import { DialogError } from "./ui/dialog";
import { Loading, Messages, Problem } from "./ui/parts";

const pages: Record<string, React.ComponentType> = {
  project: ProjectPage,
  session: lazy(() => import("./pages/session/page").then(m => ({ default: m.SessionPage }))),
  micrographs: lazy(() =>
    import("./pages/micrographs/page").then(m => ({ default: m.MicrographPage })),
  ),
  classes: lazy(() => import("./pages/classes/page").then(m => ({ default: m.ClassesPage }))),
  maps: lazy(() => import("./pages/maps/page").then(m => ({ default: m.MapsPage }))),
  tables: lazy(() => import("./pages/tables/page").then(m => ({ default: m.TablesPage }))),
  report: lazy(() => import("./pages/report/page").then(m => ({ default: m.ReportPage }))),
};

/** A link with a token logs in once; the token leaves the address at once. */
function useTokenOfLink(loggedIn: () => void) {
  const { query } = useRoute();
  const token = query.get("token");
  useEffect(() => {
    if (!token) return;
    const clean = location.hash.split("?")[0];
    void attempt(post("session", { token })).then(() => {
      history.replaceState(null, "", clean);
      loggedIn();
      go(clean || "#/", true);
    });
  }, [token, loggedIn]);
}

export function App() {
  const who = useData<Who>("session");
  const route = useRoute();
  useTokenOfLink(who.reload);
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
  const jobs = useData<Jobs>(`p/${pid}/jobs`);
  const projects = useData<ProjectRow[]>("projects");
  const title = projects.data?.find(each => each.id === pid)?.title ?? "";
  const Page = pages[page] ?? ProjectPage;
  useEffect(() => {
    document.title = title ? `${title} · verglas` : "verglas";
  }, [title]);
  const known = useMemo(
    () => ({ pid, title, who, mayChange: who.may_change, watch, jobs }),
    [pid, title, who, watch, jobs],
  );
  return (
    <Context.Provider value={known}>
      <TopBar page={page} projects={projects.data ?? []} />
      <main className={`page page-${page}`}>
        {watch.over ? (
          <Problem text="This link was taken back or has expired." />
        ) : (
          <Boundary key={page} what="This page">
            <Suspense fallback={<Loading />}>
              <Page />
            </Suspense>
          </Boundary>
        )}
      </main>
    </Context.Provider>
  );
}

function LogIn({ reload }: { reload: () => void }) {
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const reread = useReread();
  const enter = () =>
    post("session", { token: token.trim() }).then(
      () => {
        reread("");
        reload();
      },
      reason => setError(reason.message),
    );
  return (
    <form
      className="login"
      onSubmit={event => {
        event.preventDefault();
        void enter();
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
      <DialogError text={error} />
      <button className="main" disabled={!token.trim()}>
        Come in
      </button>
    </form>
  );
}

// Menus at the top left as RELION has them, pages in the middle, the project at the right.
import { useState } from "react";
import { address, post } from "../api/http";
import { useProject } from "../context";
import { go, link, tell, useKeys, usePersisted, useRoute } from "../hooks";
import { AllNotes, ProjectNote } from "./notes";
import { AutorunDialog, StopDialog } from "../pages/project/autorun";
import { DataRoots } from "../files/dataroots";
import { Ask } from "../ui/dialog";
import { Keys } from "./keyslist";
import { ThemeSwitch } from "./themeswitch";
import { Undelete } from "./undelete";
import { Unsaved } from "./unsaved";
import { Menu } from "../ui/menu";
import { Share } from "./share";
import type { JobRow, ProjectRow } from "../api/types";

const PAGES = [
  ["project", "Project"],
  ["session", "Session"],
  ["micrographs", "Micrographs"],
  ["classes", "Classes"],
  ["maps", "Maps"],
  ["tables", "Tables"],
  ["report", "Report"],
];

export function TopBar({ page, projects }: { page: string; projects: ProjectRow[] }) {
  const { pid, jobs, mayChange, who, watch } = useProject();
  const [dialog, setDialog] = useState("");
  const [order, setOrder] = usePersisted<"time" | "name">("order", "time");
  const { query } = useRoute();
  const jobIsOpen = page === "project" && Boolean(query.get("job"));
  const trash = jobs.data?.trash ?? [];
  const setJobOrder = (to: "time" | "name") => {
    setOrder(to);
    window.dispatchEvent(new CustomEvent("verglas-order", { detail: to }));
  };
  const reread = () => {
    jobs.reload();
    tell("read again");
  };
  const acts = {
    reread,
    undelete: () => setDialog("undelete"),
    empty: () => setDialog("empty"),
    gentle: () => setDialog("gentle"),
    harsh: () => setDialog("harsh"),
    keys: () => setDialog("keys"),
    run: () => setDialog("autorun"),
    stop: () => setDialog("stop"),
    note: () => setDialog("note"),
    notes: () => setDialog("notes"),
    start: () => go(link(pid, "project")),
    quit: () => go("#/"),
  };
  useKeys({
    "alt+r": reread,
    "alt+u": mayChange ? acts.undelete : undefined,
    "alt+t": mayChange ? acts.empty : undefined,
    "alt+g": mayChange ? acts.gentle : undefined,
    "alt+h": mayChange ? acts.harsh : undefined,
    "alt+a": () => setJobOrder("name"),
    "alt+c": () => setJobOrder("time"),
    "alt+z": acts.start,
    "alt+q": acts.quit,
    "?": acts.keys,
    "alt+p": acts.notes,
    "alt+e": jobIsOpen ? undefined : acts.note, // with a job open, its own note
    "alt+n": () => tell("Browse always shows what the graph says: there is nothing to remake"),
  });
  return (
    <header className="topbar">
      <nav className="menus" aria-label="menus">
        <Menu
          title="File"
          entries={[
            { text: "Re-read pipeline", key: "Alt-R", act: reread },
            { text: "Edit project note", key: "Alt-E", act: acts.note },
            { text: "Show all notes", key: "Alt-P", act: acts.notes },
            { text: "Show start screen", key: "Alt-Z", act: acts.start },
            {
              text: "Empty trash",
              key: "Alt-T",
              act: acts.empty,
              off: !mayChange || !trash.length,
            },
            { text: "Data directories", act: () => setDialog("roots") },
            {
              text: "Share link",
              act: () => setDialog("share"),
              off: who.role !== "operator" || !who.needs_token,
            },
            { text: "Keys", key: "?", act: acts.keys },
            {
              text: "The API, for scripts",
              act: () => window.open(address("docs"), "_blank", "noopener"),
            },
            { text: "All projects", key: "Alt-Q", act: acts.quit },
          ]}
        />
        <Menu
          title="Jobs"
          entries={[
            {
              text: `Order alphabetically${order === "name" ? " ✓" : ""}`,
              key: "Alt-A",
              act: () => setJobOrder("name"),
            },
            {
              text: `Order chronologically${order === "time" ? " ✓" : ""}`,
              key: "Alt-C",
              act: () => setJobOrder("time"),
            },
            {
              text: "Undelete jobs",
              key: "Alt-U",
              act: acts.undelete,
              off: !mayChange || !trash.length,
            },
            { text: "Gently clean all jobs", key: "Alt-G", act: acts.gentle, off: !mayChange },
            { text: "Harshly clean all jobs", key: "Alt-H", act: acts.harsh, off: !mayChange },
          ]}
        />
        <Menu
          title="Autorun"
          entries={[
            { text: "Run scheduled jobs", act: acts.run, off: !mayChange },
            { text: "Stop running scheduled jobs", act: acts.stop, off: !mayChange },
          ]}
        />
      </nav>
      <nav className="pages" aria-label="pages">
        {PAGES.map(([key, title]) => (
          <a key={key} href={link(pid, key)} aria-current={page === key ? "page" : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <div className="who">
        <Unsaved />
        {!watch.connected && (
          <span className="warn" title="trying again by itself">
            connection lost …
          </span>
        )}
        <select
          value={pid}
          onChange={event => go(link(event.target.value, "project"))}
          aria-label="project"
        >
          {projects.map(each => (
            <option key={each.id} value={each.id}>
              {each.title}
            </option>
          ))}
        </select>
        {who.role !== "operator" && (
          <span
            className="role"
            title={
              mayChange ? "you may change, but give no commands" : "you may look but not change"
            }
          >
            {who.role}
          </span>
        )}
        <ThemeSwitch />
      </div>
      <Dialogs which={dialog} close={() => setDialog("")} trash={trash} />
    </header>
  );
}

/** Intermediate files of every finished job to Trash; says how many. */
async function cleanAll(pid: string, jobs: JobRow[], harsh: boolean) {
  let moved = 0;
  for (const job of jobs.filter(each => each.status === "Succeeded")) {
    const [folder, number] = job.name.split("/");
    const result = await post<{ moved: string[] }>(`p/${pid}/jobs/${folder}/${number}/action`, {
      action: "clean",
      harsh,
    });
    moved += result.moved.length;
  }
  tell(`${moved} files moved to Trash`);
}

function Dialogs({ which, close, trash }: { which: string; close: () => void; trash: string[] }) {
  const { pid, jobs } = useProject();
  const known: Record<string, () => React.ReactNode> = {
    autorun: () => <AutorunDialog close={close} />,
    stop: () => <StopDialog close={close} />,
    keys: () => <Keys close={close} />,
    undelete: () => <Undelete names={trash} close={close} />,
    note: () => <ProjectNote close={close} />,
    notes: () => <AllNotes close={close} />,
    roots: () => <DataRoots close={close} />,
    share: () => <Share close={close} />,
    empty: () => (
      <Ask
        title="Empty trash"
        yes="Remove for good"
        close={close}
        text={`Everything in Trash (${trash.length} jobs) is removed for good. There is no way back.`}
        act={() => post(`p/${pid}/empty-trash`).then(() => tell("Trash is empty"))}
      />
    ),
    gentle: () => (
      <Ask
        title="Gently clean all jobs"
        yes="Move to Trash"
        close={close}
        act={() => cleanAll(pid, jobs.data?.jobs ?? [], false)}
        text="Intermediate files of all finished jobs move to Trash."
      />
    ),
    harsh: () => (
      <Ask
        title="Harshly clean all jobs"
        yes="Move to Trash"
        close={close}
        act={() => cleanAll(pid, jobs.data?.jobs ?? [], true)}
        text="Intermediate files and also micrographs and particle stacks of all finished jobs move to Trash. An empty file NO_HARSH_CLEAN in its directory protects a job."
      />
    ),
  };
  return <>{known[which]?.()}</>;
}

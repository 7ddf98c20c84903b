// Menus at the top left as RELION has them, pages in the middle, the project at the right.
import { useState } from "react";
import { address, post } from "./api";
import { useProject } from "./context";
import { attempt, go, link, tell, useKeys, usePersisted, useRoute } from "./hooks";
import { AllNotes, ProjectNote } from "./notes";
import { AutorunDialog, StopDialog } from "./pages/project/autorun";
import { Ask, Dialog, Menu } from "./parts";
import { Share } from "./share";
import type { ProjectRow } from "./types";

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
  const clean = async (harsh: boolean) => {
    let moved = 0;
    for (const job of jobs.data?.jobs.filter(each => each.status === "Succeeded") ?? []) {
      const [folder, number] = job.name.split("/");
      const result = await attempt(
        post<{ moved: string[] }>(`p/${pid}/jobs/${folder}/${number}/action`, {
          action: "clean",
          harsh,
        }),
      );
      moved += result?.moved.length ?? 0;
    }
    tell(`${moved} files moved to Trash`);
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
            {
              text: "Share link",
              act: () => setDialog("share"),
              off: !mayChange || !who.needs_token,
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
        {!mayChange && (
          <span className="role" title="you may look but not change">
            viewer
          </span>
        )}
      </div>
      {dialog === "autorun" && <AutorunDialog close={() => setDialog("")} />}
      {dialog === "stop" && <StopDialog close={() => setDialog("")} />}
      {dialog === "keys" && <Keys close={() => setDialog("")} />}
      {dialog === "undelete" && <Undelete names={trash} close={() => setDialog("")} />}
      {dialog === "note" && <ProjectNote close={() => setDialog("")} />}
      {dialog === "notes" && <AllNotes close={() => setDialog("")} />}
      {dialog === "share" && <Share close={() => setDialog("")} />}
      {dialog === "empty" && (
        <Ask
          title="Empty trash"
          yes="Remove for good"
          close={() => setDialog("")}
          text={`Everything in Trash (${trash.length} jobs) is removed for good. There is no way back.`}
          act={() => void attempt(post(`p/${pid}/empty-trash`), "Trash is empty")}
        />
      )}
      {(dialog === "gentle" || dialog === "harsh") && (
        <Ask
          title={dialog === "gentle" ? "Gently clean all jobs" : "Harshly clean all jobs"}
          yes="Move to Trash"
          close={() => setDialog("")}
          act={() => void clean(dialog === "harsh")}
          text={
            dialog === "gentle"
              ? "Intermediate files of all finished jobs move to Trash."
              : "Intermediate files and also micrographs and particle stacks of all finished jobs move to Trash. An empty file NO_HARSH_CLEAN in its directory protects a job."
          }
        />
      )}
    </header>
  );
}

function Undelete({ names, close }: { names: string[]; close: () => void }) {
  const { pid } = useProject();
  const [chosen, setChosen] = useState<string[]>([]);
  return (
    <Dialog title="Undelete jobs" close={close}>
      <div className="dialog-body">
        {names.length === 0 && <p>Trash is empty.</p>}
        {names.map(name => (
          <label key={name} className="check">
            <input
              type="checkbox"
              checked={chosen.includes(name)}
              onChange={event =>
                setChosen(
                  event.target.checked ? [...chosen, name] : chosen.filter(each => each !== name),
                )
              }
            />{" "}
            {name}
          </label>
        ))}
      </div>
      <footer>
        <button onClick={close}>Cancel</button>
        <button
          className="main"
          disabled={!chosen.length}
          onClick={() => {
            void attempt(post(`p/${pid}/undelete`, { names: chosen }), "back from Trash");
            close();
          }}
        >
          Bring back
        </button>
      </footer>
    </Dialog>
  );
}

const KEYS: [string, string][] = [
  ["Alt-R", "re-read the pipeline"],
  ["Alt-E / Alt-P", "edit the note of the job (of the project) / show all notes"],
  ["Alt-↑ / Alt-↓", "move a scheduled job up / down"],
  ["Alt-D", "display the job's output"],
  ["Alt-Z", "start screen"],
  ["Alt-T", "empty trash"],
  ["Alt-S / Alt-L", "store / load settings of the form"],
  ["Alt-A / Alt-C", "order by name / by time"],
  ["Alt-U", "undelete"],
  ["Alt-O", "overwrite instead of continue"],
  ["Alt-G / Alt-H", "clean gently / harshly"],
  ["Alt-N", "remake .Nodes"],
  ["Alt-Q", "all projects"],
  ["← →", "previous and next micrograph, iteration"],
  ["E, Ctrl-S, U", "micrographs: edit picks, save, undo"],
  ["+ − 0", "micrographs: zoom in, out, all"],
  ["I, A, C", "classes: invert, all, clear"],
  ["click, Shift-click", "classes: toggle, range"],
  ["Enter", "classes: make the Select job"],
  ["T", "classes: use as templates"],
  ["left, middle or Shift-left drag", "picking: add, erase"],
  ["← →, Enter, Esc", "session: the micrograph before and after, open it, all again"],
  ["R, U", "session: set aside or take back, undo"],
  ["T, P", "session: trial settings, tune picking"],
];

function Keys({ close }: { close: () => void }) {
  return (
    <Dialog title="Keys" close={close}>
      <table className="keys">
        <tbody>
          {KEYS.map(([key, text]) => (
            <tr key={key}>
              <th>
                <kbd>{key}</kbd>
              </th>
              <td>{text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}

// run.out and run.err as they grow; the mouse and the cheese drawn as a bar.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useProject } from "../../context";
import { ProgressBar } from "../../ui/parts";
import { Tabs } from "../../ui/tabs";
import type { LogLine } from "../../api/types";

export function LogView({ job }: { job: string }) {
  const {
    watch: { follow, log },
  } = useProject();
  const [which, setWhich] = useState("out");
  const box = useRef<HTMLDivElement>(null);
  const [stay, setStay] = useState(true);
  useEffect(() => {
    follow(job, which);
    return () => follow("", "out");
  }, [follow, job, which]);
  const lines = log && log.path.startsWith(job) && log.path.endsWith(which) ? log.lines : null;
  useLayoutEffect(() => {
    if (stay && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, stay]);
  return (
    <section className="log-view">
      <Tabs
        small
        value={which}
        choose={setWhich}
        tabs={FILES}
        after={
          <>
            <span className="grow" />
            {!stay && (
              <button className="plain" onClick={() => setStay(true)}>
                to the end ↓
              </button>
            )}
          </>
        }
      >
        <div
          className={`log${which === "err" ? " err" : ""}`}
          ref={box}
          tabIndex={0}
          onScroll={event => {
            const el = event.currentTarget;
            setStay(el.scrollHeight - el.scrollTop - el.clientHeight < 40);
          }}
        >
          {log?.cut && <p className="hint">the beginning is left out; it is in the file</p>}
          {lines?.length === 0 && (
            <p className="hint">{which === "err" ? "no complaints" : "nothing written yet"}</p>
          )}
          {lines?.map((line: LogLine, index) =>
            line.bar ? (
              <div key={index} className="log-bar">
                <ProgressBar bar={line.bar} />
              </div>
            ) : (
              <div key={index}>{line.text || "\u00a0"}</div>
            ),
          )}
        </div>
      </Tabs>
    </section>
  );
}

const FILES = [
  { key: "out", title: "run.out" },
  { key: "err", title: "run.err" },
];

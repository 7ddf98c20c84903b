// run.out and run.err as they grow; the mouse and the cheese drawn as a bar.
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useProject } from "../../context";
import { ProgressBar } from "../../parts";
import type { LogLine } from "../../types";

export function LogView({ job }: { job: string }) {
  const { watch } = useProject();
  const [which, setWhich] = useState("out");
  const box = useRef<HTMLDivElement>(null);
  const [stay, setStay] = useState(true);
  useEffect(() => {
    watch.follow(job, which);
    return () => watch.follow("", "out");
  }, [job, which]); // eslint-disable-line
  const lines =
    watch.log && watch.log.path.startsWith(job) && watch.log.path.endsWith(which)
      ? watch.log.lines
      : null;
  useLayoutEffect(() => {
    if (stay && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, stay]);
  return (
    <section className="log-view">
      <div className="tabs small" role="tablist">
        {[
          ["out", "run.out"],
          ["err", "run.err"],
        ].map(([key, title]) => (
          <button key={key} role="tab" aria-selected={which === key} onClick={() => setWhich(key)}>
            {title}
          </button>
        ))}
        <span className="grow" />
        {!stay && (
          <button className="plain" onClick={() => setStay(true)}>
            to the end ↓
          </button>
        )}
      </div>
      <div
        className={`log${which === "err" ? " err" : ""}`}
        ref={box}
        tabIndex={0}
        onScroll={event => {
          const el = event.currentTarget;
          setStay(el.scrollHeight - el.scrollTop - el.clientHeight < 40);
        }}
      >
        {watch.log?.cut && <p className="hint">the beginning is left out; it is in the file</p>}
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
    </section>
  );
}

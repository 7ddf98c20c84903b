// The schedules that run, above the graph: round, job in hand, time to the next round, log, stop.
import { useEffect, useState } from "react";
import { post } from "../../api/http";
import type { Log, Schedule } from "../../api/types";
import { useProject } from "../../context";
import { attempt, useData } from "../../hooks";
import { Dialog } from "../../ui/dialog";
import { Problem } from "../../ui/parts";
import { duration, shortName } from "../../ui/words";

export function ScheduleStrip() {
  const { pid, mayChange } = useProject();
  const schedules = useData<Schedule[]>(`p/${pid}/autorun`);
  const [log, setLog] = useState("");
  const shown = schedules.data?.filter(each => each.wanted || each.phase === "failed") ?? [];
  if (!shown.length) return null;
  return (
    <div className="schedules">
      {shown.map(each => (
        <div key={each.name} className={each.phase === "failed" ? "schedule bad" : "schedule"}>
          <b>{each.name}</b>
          <span>
            round {each.round} of {each.repeat}
          </span>
          <span>
            {each.phase === "failed" ? (
              `failed: ${each.message}`
            ) : each.in_hand ? (
              `▶ ${shortName(each.in_hand)}`
            ) : each.phase === "between" || each.phase === "before" ? (
              <Countdown seconds={each.next_round_in_s ?? 0} />
            ) : (
              each.message
            )}
          </span>
          <span className="rounds" aria-hidden>
            {each.jobs.map(job => (
              <i
                key={job}
                title={`${job} ${each.results[job]?.kind ?? ""}`}
                className={each.in_hand === job ? "now" : (each.results[job]?.kind ?? "")}
              />
            ))}
          </span>
          <button className="plain" onClick={() => setLog(each.name)}>
            log
          </button>
          {mayChange && each.wanted && (
            <button
              className="plain"
              onClick={() =>
                void attempt(
                  post(`p/${pid}/autorun/${each.name}/stop`, { abort: false }),
                  `${each.name} stops`,
                )
              }
            >
              stop
            </button>
          )}
        </div>
      ))}
      {log && <LogDialog name={log} close={() => setLog("")} />}
    </div>
  );
}

function Countdown({ seconds }: { seconds: number }) {
  const [left, setLeft] = useState(seconds);
  useEffect(() => {
    setLeft(seconds);
    const timer = setInterval(() => setLeft(old => Math.max(0, old - 1)), 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return <>◷ next round in {duration(left)}</>;
}

function LogDialog({ name, close }: { name: string; close: () => void }) {
  const { pid } = useProject();
  const log = useData<Log>(`p/${pid}/autorun/${name}/log`);
  return (
    <Dialog title={`Log of ${name}`} close={close} wide>
      {log.error && <Problem text={log.error} retry={log.reload} />}
      <pre className="log tall">{log.data?.lines.map(line => line.text).join("\n")}</pre>
    </Dialog>
  );
}

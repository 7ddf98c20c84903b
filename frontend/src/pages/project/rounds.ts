// How a job's state reads, where a schedule that repeats has run it in this round.
import type { JobRow } from "../../api/types";
import { STATES } from "../../ui/words";

const DONE: Record<string, string> = {
  succeeded: "Succeeded",
  failed: "Failed",
  aborted: "Aborted",
};

/** A scheduled job that its schedule finished this round shows how that went, not that it waits. */
export function shownState(job: JobRow): { sign: string; className: string; text: string } {
  const last = job.last_round;
  if (job.status === "Scheduled" && job.list === "Finished" && last) {
    const state = STATES[DONE[last.kind] ?? "Succeeded"];
    return {
      ...state,
      text: `round ${last.round}: ${last.kind}${last.reason && `, ${last.reason}`}`,
    };
  }
  const state = STATES[job.status] ?? { sign: "?", className: "" };
  return { ...state, text: job.status };
}

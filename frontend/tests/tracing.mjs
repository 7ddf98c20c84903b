// What the main thread of a page did meanwhile, in wall time and in its own CPU time: on a machine that
// does other work, only the second says what the page costs.
import { readdirSync, readFileSync } from "node:fs";

const CATEGORIES = ["toplevel", "disabled-by-default-devtools.timeline", "__metadata"];
const TICK_MS = 10; // of /proc/PID/stat

/** Longest task of the main thread while `work` runs: {wall, cpu} in ms. */
export async function longestTask(page, work) {
  const client = await page.context().newCDPSession(page);
  const events = [];
  client.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  await client.send("Tracing.start", {
    transferMode: "ReportEvents",
    traceConfig: { includedCategories: CATEGORIES, excludedCategories: ["*"] },
  });
  await work();
  await page.waitForTimeout(300);
  const complete = new Promise(done => client.once("Tracing.tracingComplete", done));
  await client.send("Tracing.end");
  await complete;
  await client.detach();
  const main = mainThread(events);
  const tasks = events.filter(
    each =>
      each.ph === "X" &&
      each.name.endsWith("RunTask") &&
      each.pid === main.pid &&
      each.tid === main.tid,
  );
  const most = key => Math.round(Math.max(0, ...tasks.map(each => each[key] ?? 0)) / 1000);
  return { wall: most("dur"), cpu: most("tdur"), tasks: tasks.length };
}

/** The renderer's main thread that worked most: the page's. */
function mainThread(events) {
  const named = events.filter(
    each => each.name === "thread_name" && each.args?.name === "CrRendererMain",
  );
  const busy = ({ pid, tid }) =>
    events.reduce(
      (sum, each) => sum + (each.pid === pid && each.tid === tid ? (each.tdur ?? 0) : 0),
      0,
    );
  return named.sort((a, b) => busy(b) - busy(a))[0] ?? { pid: 0, tid: 0 };
}

/** CPU time in ms that a process has used so far; 0 if there is none. */
export function cpuMs(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  } catch {
    return 0; // it ended meanwhile
  }
}

/** CPU time in ms of all processes of a browser; `profile` is its directory. */
export function browserCpuMs(profile) {
  const ours = pid => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(profile);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc")
    .filter(name => /^\d+$/.test(name) && ours(name))
    .reduce((sum, pid) => sum + cpuMs(pid), 0);
}

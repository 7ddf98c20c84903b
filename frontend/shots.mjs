// Screenshots of every page at 1440 x 900 (and the session at 390), with Debian's Chromium.
//   node shots.mjs http://127.0.0.1:8765 OUT [PROJECT]
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [base, out, wanted] = process.argv.slice(2);
const flags = ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const gl = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];
const context = await chromium.launchPersistentContext(mkdtempSync(join(tmpdir(), "verglas-chromium-")), {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: [...flags, ...gl], viewport: { width: 1440, height: 900 },
});
const page = await context.newPage();
page.on("console", (message) => { if (message.type() === "error" || message.type() === "warning") console.log("console:", message.text().slice(0, 300)); });
page.on("pageerror", (error) => console.log("page error:", String(error).slice(0, 400)));
const projects = await (await page.request.get(`${base}/api/projects`)).json();
const project = projects.find((each) => !wanted || each.title === wanted) ?? projects[0];
const jobs = (await (await page.request.get(`${base}/api/p/${project.id}/jobs`)).json()).jobs;
const last = (folder) => jobs.filter((job) => job.folder === folder).at(-1)?.name ?? "";
const maps = (await (await page.request.get(`${base}/api/p/${project.id}/maps`)).json()).maps;
const pages = {
  home: "#/", project: `#/p/${project.id}/project?job=${last("Class2D") || jobs.at(-1)?.name}`, start: `#/p/${project.id}/project`, newjob: `#/p/${project.id}/project?type=CtfFind`,
  session: `#/p/${project.id}/session`, micrographs: `#/p/${project.id}/micrographs`, classes: `#/p/${project.id}/classes`, maps: `#/p/${project.id}/maps${maps.length ? `?a=${maps[0]}` : ""}`,
  tables: `#/p/${project.id}/tables`, report: `#/p/${project.id}/report`,
};
const only = process.env.ONLY?.split(",");
for (const [name, hash] of Object.entries(pages)) {
  if (only && !only.includes(name)) continue;
  await page.goto("about:blank");
  await page.goto(`${base}/${hash}`);
  await page.waitForLoadState("networkidle").catch(() => {});
  await page.waitForTimeout(name === "maps" ? 4000 : 1200);
  await page.screenshot({ path: `${out}/${name}.png` });
  console.log(name);
}
await page.setViewportSize({ width: 390, height: 844 });
if (!only || only.includes("phone")) {
  await page.goto("about:blank");
  await page.goto(`${base}/${pages.session}`);
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `${out}/session-390.png` });
}
await context.close();

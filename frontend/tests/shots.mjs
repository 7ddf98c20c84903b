// Screenshots of every page at 1440 x 900 (and the session at 390), with Debian's Chromium.
//   node shots.mjs http://127.0.0.1:8765 OUT [PROJECT]
import { withPage } from "./browser.mjs";

const [base, out, wanted] = process.argv.slice(2);
await withPage(base, async (page, problems) => {
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
  await page.waitForTimeout(name === "maps" ? 6000 : 2500);
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
problems.forEach((each) => console.log(each));
}, { gl: true });

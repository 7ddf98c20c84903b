// Screenshots of every page at 1440 x 900 (and the session at 390), with Debian's Chromium, named as in docs/.
//   node shots.mjs http://127.0.0.1:8765 OUT [PROJECT]      ONLY=maps,tables takes only these; SCHEME=dark in the dark
import { withPage } from "./browser.mjs";

const [base, out, wanted] = process.argv.slice(2);
const only = process.env.ONLY?.split(","),
  dark = process.env.SCHEME === "dark",
  ending = dark ? "-dark.png" : ".png";

await withPage(
  base,
  async (page, problems) => {
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    const projects = await (await page.request.get(`${base}/api/projects`)).json();
    const project = projects.find(each => !wanted || each.title === wanted) ?? projects[0];
    const ask = async path =>
      (await page.request.get(`${base}/api/p/${project.id}/${path}`)).json();
    const { jobs } = await ask("jobs"),
      { maps } = await ask("maps"),
      { models } = await ask("classes");
    const last = folder => jobs.filter(job => job.folder === folder).at(-1)?.name ?? "";
    const flat = models.find(each => each.startsWith("Class2D/")) ?? "",
      solid = maps.filter(each => each.startsWith("Class3D/"));
    const choose = async () => {
      await page.locator(".class-tile").first().click();
      await page
        .locator(".class-tile")
        .nth(4)
        .click({ modifiers: ["Shift"] });
    };
    const menu = async (title, entry) => {
      await page.getByRole("button", { name: title, exact: true }).click();
      if (entry) await page.getByRole("menuitem", { name: entry, exact: true }).click();
    };
    const pages = {
      home: ["#/"],
      start: ["project"],
      project: [`project?job=${last("Class3D") || last("Class2D") || jobs.at(-1)?.name}`],
      form: ["project?type=CtfFind"],
      browse: [
        "project?type=Class2D",
        () => page.getByRole("button", { name: "Browse" }).first().click(),
      ],
      autorun: [
        "project",
        async () => {
          await menu("Autorun", "Run scheduled jobs");
          const times = page.locator("[name=repeat]");
          if (await times.count()) await times.fill("4");
        },
      ],
      actions: [
        `project?job=${last("Class2D")}`,
        () => page.getByRole("button", { name: "Job actions" }).click(),
      ],
      session: ["session"],
      micrographs: ["micrographs"],
      classes: [`classes?model=${flat}`, choose],
      members: [
        `classes?model=${flat}`,
        async () => {
          await choose();
          await page.keyboard.press("m");
        },
      ],
      maps: [
        `maps?a=${solid[0] ?? maps.find(each => /postprocess\.mrc/.test(each)) ?? ""}&b=${solid[1] ?? maps.find(each => /masked/.test(each)) ?? ""}&mask=${maps.find(each => /mask\.mrc/.test(each)) ?? ""}`,
      ],
      "maps-local": [
        `maps?a=${maps.find(each => /locres_filtered/.test(each)) ?? ""}&colour=${maps.find(each => /locres\.mrc/.test(each)) ?? ""}`,
      ],
      postprocess: [
        `maps?a=${maps.find(each => /postprocess\.mrc/.test(each)) ?? ""}`,
        () => page.locator(".map-model").scrollIntoViewIfNeeded(),
      ],
      orientations: [
        `maps?a=${solid[0] ?? ""}`,
        () => page.locator(".map-model").scrollIntoViewIfNeeded(),
      ],
      tables: [
        `tables?path=${last("Extract")}particles.star`,
        async () => {
          await page.getByRole("button", { name: "Plot" }).click();
        },
      ],
      report: ["report"],
    };
    for (const [name, [hash, act]] of Object.entries(pages)) {
      if (only && !only.includes(name)) continue;
      await page.goto("about:blank");
      await page.goto(`${base}/${hash.startsWith("#") ? hash : `#/p/${project.id}/${hash}`}`);
      await page.waitForLoadState("networkidle").catch(() => {});
      await page.waitForTimeout(name.startsWith("maps") ? 8000 : 2500);
      if (act) {
        await act();
        await page.waitForTimeout(1500);
      }
      await page.screenshot({ path: `${out}/${name}${ending}` });
      console.log(name);
    }
    if (!only || only.includes("session-phone")) {
      await page.setViewportSize({ width: 390, height: 844 });
      await page.goto("about:blank");
      await page.goto(`${base}/#/p/${project.id}/session`);
      await page.waitForTimeout(1500);
      await page.screenshot({ path: `${out}/session-phone${ending}` });
    }
    problems.forEach(each => console.log(each));
  },
  { gl: true },
);

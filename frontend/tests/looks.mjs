// Every page in light and dark, at a desk and on a phone: no complaint, nothing wider than the screen, nothing that
// axe calls serious; and what pages promise: drafts survive, filters are refused, the graph stays.   node looks.mjs BASE
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { withPage } from "./browser.mjs";

const [base] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGES = ["project", "session", "micrographs", "classes", "maps", "tables", "report"];
const step = text => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

/** What axe finds that keeps somebody out. */
async function barriers(page) {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await window.axe.run(document, {
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa"],
    });
    return found.violations
      .filter(each => ["serious", "critical"].includes(each.impact))
      .map(each => `${each.id}: ${each.nodes.slice(0, 3).map(node => node.html.slice(0, 120))}`);
  });
}

await withPage(base, async (page, problems) => {
  page.setDefaultTimeout(30000);
  const [project] = await (await page.request.get(`${base}/api/projects`)).json();
  const at = name => `${base}/#/p/${project.id}/${name}`;
  const found = [];
  for (const scheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const name of PAGES) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(at(name));
      await page.waitForTimeout(300);
      await page.waitForFunction(() => !document.querySelector("main .spinner"));
      const theme = await page.evaluate(() => document.documentElement.dataset.theme);
      assert.equal(theme, scheme, "the theme follows the system");
      if (name !== "report")
        found.push(...(await barriers(page)).map(each => `${name}, ${scheme}: ${each}`));
      await page.setViewportSize({ width: 390, height: 844 });
      await page.waitForTimeout(250);
      const wide = await page.locator("main").evaluate(el => el.scrollWidth);
      if (wide > 390) found.push(`${name} is ${wide} wide on a phone`);
    }
    step(scheme);
  }

  assert.deepEqual(found, []);

  step("the switch in the bar is remembered");
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(at("project"));
  await page.locator(".theme-switch").click(); // from the system's to dark
  await page.locator(".theme-switch").click(); // to light
  await page.reload();
  await page.locator(".job-box").first().waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");

  step("a choice of classes survives leaving the page and a reload, and says that it is unsaved");
  await page.goto(at("classes"));
  await page.locator(".class-tile").first().click();
  await page.getByText("unsaved", { exact: true }).waitFor();
  await page.waitForResponse(answer => answer.url().includes("drafts/classes") && answer.ok());
  await page.getByRole("link", { name: "Tables" }).click();
  await page.locator(".drafts-badge", { hasText: "1 unsaved" }).waitFor();
  await page.goto(at("classes"));
  await page.reload();
  await page.locator(".class-tile.chosen").waitFor();
  assert.match(await page.getByTestId("choice").innerText(), /^1 of/);
  await page.locator(".class-tile").first().click({ button: "right" });
  await page.getByRole("menuitem", { name: "Choose all below" }).click();
  assert.match(await page.getByTestId("choice").innerText(), /^(\d+) of \1 /);
  await page
    .getByRole("button", { name: "discard" })
    .click({ timeout: 500 })
    .catch(() => {});

  step(
    "a wrong filter is refused beside its field; a good one, the sort and the columns stand in the address",
  );
  await page.goto(`${at("tables")}?path=CtfFind/job003/micrographs_ctf.star&block=micrographs`);
  const filter = page.getByLabel("filter", { exact: true });
  await filter.fill("rlnDefocusU >> 1");
  await page.keyboard.press("Enter");
  await page.getByText("is no comparison").waitFor();
  assert.equal(await page.locator(".chip").count(), 0);
  await filter.fill("DefocusU > 13000");
  await page.keyboard.press("Enter");
  await page.locator(".chip", { hasText: "rlnDefocusU > 13000" }).waitFor();
  await page.getByText("1 of 2 rows").waitFor();
  await page.getByRole("columnheader", { name: "DefocusU" }).click();
  await page.waitForFunction(() => /sort=rlnDefocusU/.test(location.hash));
  await page.reload();
  await page.locator(".chip", { hasText: "rlnDefocusU > 13000" }).waitFor();
  await page.locator("[aria-sort=ascending]").waitFor();

  step("the graph keeps its nodes while everything is read again");
  await page.goto(at("project"));
  const nodes = page.locator(".react-flow__node");
  await nodes.first().waitFor();
  const count = await nodes.count();
  for (let n = 0; n < 5; n++) {
    await page.keyboard.press("Alt+r");
    await page.waitForTimeout(60);
    for (const node of await nodes.all()) {
      const box = await node.boundingBox();
      assert.ok(box && box.width > 20 && box.height > 10, "every node has a size");
    }
    assert.equal(await nodes.count(), count);
  }
  await page.getByLabel("find a job").fill("Class2D");
  await page.keyboard.press("Enter");
  await page.locator(".job-panel h2", { hasText: "Class2D" }).waitFor();

  step("a plot gives its numbers");
  await page.goto(
    `${at("tables")}?path=CtfFind/job003/micrographs_ctf.star&block=micrographs&plot=1`,
  );
  await page.locator(".point-plot canvas").waitFor();
  await page.getByRole("button", { name: /save, show all/ }).click();
  const saved = page.waitForEvent("download");
  await page.getByRole("menuitem", { name: "Save as CSV" }).click();
  assert.match((await saved).suggestedFilename(), /\.csv$/);
  // classes in 2D have no directions to show: the server says so, and the page in words
  assert.deepEqual(
    problems.filter(each => !each.includes("422")),
    [],
  );
  step("done");
});

// The session's map panel in a browser: it says how much longer, what adds nothing, and takes a symmetry.     node map_page.mjs BASE
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { withPage } from "./browser.mjs";

const [base] = process.argv.slice(2);
await withPage(
  base,
  async (page, problems) => {
    const project = (await (await page.request.get(`${base}/api/projects`)).json())[0];
    await page.goto(`${base}/#/p/${project.id}/session`);
    const panel = page.locator(".session-map");
    await panel.locator(".surface[data-ready=true]").waitFor({ timeout: 60_000 });
    assert.match(await panel.locator(".map-targets").innerText(), /Å with .* particles/);
    assert.match(await panel.locator(".map-parts").first().innerText(), /1002[^]*adds nothing/);
    assert.match(await panel.innerText(), /Tilting the stage by \d+° would help/);
    await page.evaluate(
      readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"),
    );
    const barriers = await page.evaluate(() =>
      axe
        .run(".session-map", { runOnly: ["wcag2a", "wcag2aa"] })
        .then(found => found.violations.map(each => each.id)),
    );
    assert.deepEqual(barriers, []);
    for (const view of ["by time", "B-factor"]) {
      await panel.getByRole("button", { name: view }).click();
      await panel.locator(".map-forecast canvas").waitFor();
    }
    const asked = page.waitForRequest(request => request.url().endsWith("/live/map"));
    await panel.getByRole("button", { name: "None (C1)" }).click();
    assert.deepEqual((await asked).postDataJSON(), {
      session: "live1",
      ask: "confirm",
      symmetry: "C1",
    });
    const wrong = problems.filter(each => !/thumbnail|\/shown/.test(each)); // the made-up session has no pictures
    assert.deepEqual(wrong, []);
  },
  { gl: true },
);

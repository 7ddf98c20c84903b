// Figures of the session page in headless Chromium, as JSON.     node measure_live.mjs BASE
// Of tasks the wall time and the CPU time; they are equal on a machine that does nothing else.
import { withPage } from "./browser.mjs";
import { longestTask } from "./tracing.mjs";

const [base] = process.argv.slice(2);
await withPage(base, async (page, problems) => {
  const found = {};
  const [project] = await (await page.request.get(`${base}/api/projects`)).json();
  const task = async (name, work) => {
    const { wall, cpu } = await longestTask(page, work);
    Object.assign(found, {
      [`${name}_longest_task_ms`]: wall,
      [`${name}_longest_task_cpu_ms`]: cpu,
    });
  };
  const begin = Date.now();
  await page.goto(`${base}/#/p/${project.id}/session`);
  await page.locator(".histograms canvas").first().waitFor();
  found.session_ready_ms = Date.now() - begin;
  found.first_paint_ms = await page.evaluate(() =>
    Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1),
  );
  await page.waitForTimeout(3000);
  await task("limits", async () => {
    await page.locator(".thresholds").scrollIntoViewIfNeeded();
    const box = await page.locator(".histogram").nth(2).boundingBox();
    await page.mouse.move(box.x + box.width - 12, box.y + 30);
    await page.mouse.down();
    for (let n = 1; n < 30; n++) {
      await page.mouse.move(box.x + box.width - 12 - n * 4, box.y + 30);
      await page.waitForTimeout(16);
    }
    await page.mouse.up();
  });
  await task("brush", async () => {
    await page.locator(".night").scrollIntoViewIfNeeded();
    const box = await page.locator(".night-line canvas").boundingBox();
    await page.mouse.move(box.x + 300, box.y + 40);
    await page.mouse.down();
    for (let n = 1; n < 30; n++) {
      await page.mouse.move(box.x + 300 + n * 8, box.y + 40);
      await page.waitForTimeout(16);
    }
    await page.mouse.up();
    await page.keyboard.press("Escape");
  });
  await task("walk", async () => {
    for (let n = 0; n < 15; n++) {
      await page.keyboard.press("ArrowLeft");
      await page.waitForTimeout(60);
    }
    await page.keyboard.press("Escape");
  });
  await task("grid", async () => {
    await page.locator(".square").nth(2).click();
    await page.waitForTimeout(300);
    await page.getByLabel("coloured by").selectOption("fit");
    await page.waitForTimeout(300);
  });
  await task("update", async () => {
    // what comes when the session wrote its status
    await page.locator("main").evaluate(el => {
      el.scrollTop = 0;
    });
    await page.waitForTimeout(5000);
  });
  found.problems = problems;
  for (const [key, value] of Object.entries(found))
    console.log(key.padEnd(34), JSON.stringify(value));
});

// Figures of the pages in headless Chromium, as JSON: first paint, long tasks, frames of the viewer.
//   node measure.mjs BASE      (the project that benchmarks/web.py makes)
import { withPage } from "./browser.mjs";

const [base] = process.argv.slice(2);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
const high = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? null;

await withPage(base, async (page, problems) => {
  const found = {};
  await page.addInitScript(() => {
    window.long = [];
    new PerformanceObserver((list) => list.getEntries().forEach((each) => window.long.push([each.startTime, each.duration]))).observe({ type: "longtask", buffered: true });
  });
  const [project] = await (await page.request.get(`${base}/api/projects`)).json();
  const at = (name) => `${base}/#/p/${project.id}/${name}`;
  const open = async (name, ready) => {
    await page.goto("about:blank");
    const begin = Date.now();
    await page.goto(at(name));
    await page.locator(ready).first().waitFor();
    return Date.now() - begin;
  };
  const longest = async (work) => {
    const from = await page.evaluate(() => performance.now());
    await work();
    await page.waitForTimeout(300);
    return page.evaluate((from) => Math.round(Math.max(0, ...window.long.filter(([start]) => start >= from).map(([, duration]) => duration))), from);
  };
  const paint = () => page.evaluate(() => Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1));

  await open("project", ".job-box"); // fills the browser's cache of code, as a second visit would
  found.project_ready_ms = await open("project", ".job-box");
  found.first_paint_ms = await paint();
  found.session_10000_ready_ms = await open("session", ".histograms canvas");
  await page.waitForTimeout(1500);
  found.session_10000_longest_task_ms = await longest(async () => {
    const box = await page.locator(".histogram").nth(2).boundingBox();
    await page.mouse.move(box.x + box.width - 12, box.y + 30);
    await page.mouse.down();
    for (let n = 0; n < 12; n++) await page.mouse.move(box.x + box.width - 12 - n * 8, box.y + 30);
    await page.mouse.up();
  });
  const opened = Date.now();
  await open("micrographs", ".viewer canvas");
  await page.waitForFunction(() => window.verglasViewer?.drawn > 0);
  found.micrographs_page_ready_ms = Date.now() - opened; // code, list of 10,000, first picture
  await page.waitForTimeout(1500);
  found.list_10000_longest_task_ms = await longest(async () => {
    await page.mouse.move(100, 400);
    for (let n = 0; n < 20; n++) { await page.mouse.wheel(0, 9000); await page.waitForTimeout(20); }
    await page.locator("[aria-label='sort by']").selectOption("fit_resolution_angst");
  });
  const frames = await page.evaluate(async () => {
    const v = window.verglasViewer, gaps = [];
    v.frames.length = 0;
    const middle = [v.canvas.clientWidth / 2, v.canvas.clientHeight / 2];
    let last = performance.now();
    for (let n = 0; n < 240; n++) {
      if (n < 60) v.zoom(1.05, ...middle); else if (n < 180) v.pan(n % 40 < 20 ? 18 : -14, n % 50 < 25 ? 12 : -9); else v.zoom(1 / 1.05, ...middle);
      await new Promise((done) => requestAnimationFrame(done));
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }
    return { gaps, paints: [...v.frames] };
  });
  found.viewer_frame_median_ms = Math.round(median(frames.gaps) * 10) / 10;
  found.viewer_frame_95_ms = Math.round(high(frames.gaps) * 10) / 10;
  found.viewer_paint_median_ms = Math.round(median(frames.paints) * 10) / 10;
  const next = [];
  for (let n = 0; n < 3; n++) {
    const begin = Date.now();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction((n) => document.querySelector(".strip .hint")?.textContent.startsWith(`${n + 2} `) && document.querySelector(".viewer canvas") && window.verglasViewer.drawn > 0, n);
    await page.waitForTimeout(30);
    next.push(Date.now() - begin);
  }
  found.next_micrograph_ms = median(next);
  found.gallery_200_ready_ms = await open("classes", ".class-tile");
  await page.waitForTimeout(1000);
  found.gallery_200_longest_task_ms = await longest(async () => {
    await page.locator(".class-tile").first().click();
    await page.locator(".class-tile").nth(199).click({ modifiers: ["Shift"] });
    await page.keyboard.press("i");
    await page.mouse.move(700, 500);
    for (let n = 0; n < 10; n++) { await page.mouse.wheel(0, 400); await page.waitForTimeout(20); }
  });
  found.table_1m_ready_ms = await open("tables?path=million.star", ".grid-row .num");
  found.table_1m_longest_task_ms = await longest(async () => {
    await page.mouse.move(700, 500);
    for (let n = 0; n < 15; n++) { await page.mouse.wheel(0, 500000); await page.waitForTimeout(30); }
  });
  const begin = Date.now();
  await page.getByRole("columnheader", { name: "DefocusU" }).click();
  await page.waitForResponse((answer) => answer.url().includes("sort=rlnDefocusU"));
  found.table_1m_sort_ms = Date.now() - begin;
  found.problems = problems;
  console.log(JSON.stringify(found));
});

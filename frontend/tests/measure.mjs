// Figures of the pages in headless Chromium, as JSON: first paint, longest tasks, frames of the viewer.
// Of tasks and frames the wall time and the CPU time; they are equal on a machine that does nothing else.
//   node measure.mjs BASE SERVER_PID      (the project that benchmarks/web.py makes)
import { withPage } from "./browser.mjs";
import { browserCpuMs, cpuMs, longestTask } from "./tracing.mjs";

const [base, server] = process.argv.slice(2);
const FRAMES = 240;
const ranked = (values, share) =>
  Math.round([...values].sort((a, b) => a - b)[Math.floor(values.length * share)] * 10) / 10;

await withPage(base, async (page, problems, profile) => {
  const found = {};
  const [project] = await (await page.request.get(`${base}/api/projects`)).json();
  const open = async (name, ready) => {
    await page.goto("about:blank");
    const begin = Date.now(),
      cpu = browserCpuMs(profile);
    await page.goto(`${base}/#/p/${project.id}/${name}`);
    await page.locator(ready).first().waitFor();
    return { wall: Date.now() - begin, cpu: browserCpuMs(profile) - cpu };
  };
  const paint = () =>
    page.evaluate(() =>
      Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1),
    );
  const scroll = async (steps, by) => {
    await page.mouse.move(700, 500);
    for (let n = 0; n < steps; n++) {
      await page.mouse.wheel(0, by);
      await page.waitForTimeout(20);
    }
  };
  const task = async (name, work) => {
    const { wall, cpu } = await longestTask(page, work);
    Object.assign(found, {
      [`${name}_longest_task_ms`]: wall,
      [`${name}_longest_task_cpu_ms`]: cpu,
    });
  };

  const cold = await open("project", ".job-box"); // nothing in the browser's cache
  Object.assign(found, {
    first_paint_cold_ms: await paint(),
    project_ready_cold_ms: cold.wall,
    project_ready_cold_cpu_ms: cold.cpu,
  });
  await open("project", ".job-box");
  found.first_paint_ms = await paint();

  found.session_10000_ready_ms = (await open("session", ".histograms canvas")).wall;
  await page.waitForTimeout(1500);
  await task("session_10000", async () => {
    const box = await page.locator(".histogram").nth(2).boundingBox();
    await page.mouse.move(box.x + box.width - 12, box.y + 30);
    await page.mouse.down();
    for (let n = 0; n < 12; n++) await page.mouse.move(box.x + box.width - 12 - n * 8, box.y + 30);
    await page.mouse.up();
  });
  await task("session_10000_changed", async () => {
    // the project changes while the page is open
    await page.request.post(`${base}/api/p/${project.id}/jobs/CtfFind/job003/action`, {
      data: { action: "alias", text: `seen${Date.now() % 1e6}` },
    });
    await page.waitForTimeout(3000);
  });

  const list = await open("micrographs", ".viewer canvas");
  await page.waitForFunction(() => window.verglasViewer?.drawn > 0);
  found.micrographs_page_ready_ms = list.wall; // code, list of 10,000, first picture
  await page.waitForTimeout(1500);
  await task("list_10000", async () => {
    await page.mouse.move(100, 400);
    for (let n = 0; n < 20; n++) {
      await page.mouse.wheel(0, 9000);
      await page.waitForTimeout(20);
    }
    await page.locator("[aria-label='sort by']").selectOption("fit_resolution_angst");
  });
  const before = browserCpuMs(profile);
  const frames = await page.evaluate(async count => {
    const v = window.verglasViewer,
      gaps = [];
    v.frames.length = 0;
    const middle = [v.canvas.clientWidth / 2, v.canvas.clientHeight / 2];
    let last = performance.now();
    for (let n = 0; n < count; n++) {
      if (n < 60) v.zoom(1.05, ...middle);
      else if (n < 180) v.pan(n % 40 < 20 ? 18 : -14, n % 50 < 25 ? 12 : -9);
      else v.zoom(1 / 1.05, ...middle);
      await new Promise(done => requestAnimationFrame(done));
      const now = performance.now();
      gaps.push(now - last);
      last = now;
    }
    return { gaps, paints: [...v.frames] };
  }, FRAMES);
  Object.assign(found, {
    viewer_frame_median_ms: ranked(frames.gaps, 0.5),
    viewer_frame_95_ms: ranked(frames.gaps, 0.95),
    viewer_paint_median_ms: ranked(frames.paints, 0.5),
    viewer_frame_cpu_ms: Math.round(((browserCpuMs(profile) - before) / FRAMES) * 10) / 10, // all threads of the browser, mean
  });
  const opened = [],
    cost = [];
  for (let n = 0; n < 3; n++) {
    await page.evaluate(() => {
      window.verglasViewer = null;
    }); // the next one is another
    const begin = Date.now(),
      cpu = browserCpuMs(profile) + cpuMs(server);
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(
      n =>
        document.querySelector(".strip .hint")?.textContent.startsWith(`${n + 2} `) &&
        window.verglasViewer?.drawn > 0,
      n,
    );
    opened.push(Date.now() - begin);
    cost.push(browserCpuMs(profile) + cpuMs(server) - cpu);
  }
  Object.assign(found, {
    next_micrograph_ms: ranked(opened, 0.5),
    next_micrograph_cpu_ms: ranked(cost, 0.5),
  });

  found.gallery_200_ready_ms = (await open("classes", ".class-tile")).wall;
  await page.waitForTimeout(1000);
  await task("gallery_200", async () => {
    await page.locator(".class-tile").first().click();
    await page
      .locator(".class-tile")
      .nth(199)
      .click({ modifiers: ["Shift"] });
    await page.keyboard.press("i");
    await scroll(10, 400);
  });

  found.table_1m_ready_ms = (await open("tables?path=million.star", ".grid-row .num")).wall;
  await task("table_1m", () => scroll(15, 500000));
  const begin = Date.now();
  await page.getByRole("columnheader", { name: "DefocusU" }).click();
  await page.waitForResponse(answer => answer.url().includes("sort=rlnDefocusU"));
  found.table_1m_sort_ms = Date.now() - begin;
  await task("table_1m_plot", async () => {
    await page.getByRole("button", { name: "Plot" }).click();
    await page.locator(".column-plot canvas").waitFor();
  });
  found.problems = problems;
  console.log(JSON.stringify(found));
});

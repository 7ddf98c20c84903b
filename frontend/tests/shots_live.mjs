// Screenshots of the session page and its dialogs at 1440 x 900 and at 390 px.     node shots_live.mjs BASE OUT
import { withPage } from "./browser.mjs";

const [base, out] = process.argv.slice(2);
await withPage(base, async (page, problems) => {
  const project = (await (await page.request.get(`${base}/api/projects`)).json())[0];
  const open = async hash => {
    await page.goto("about:blank");
    await page.goto(`${base}/#/p/${project.id}/${hash}`);
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.waitForTimeout(1500);
  };
  const shot = async (name, options = {}) => {
    await page.screenshot({ path: `${out}/${name}.png`, ...options });
    console.log(name);
  };
  await page.addInitScript(
    id =>
      location.protocol !== "about:" &&
      localStorage.setItem(`verglas.looked.${id}`, String(Date.now() / 1000 - 6 * 3600)),
    project.id,
  );
  const top = async selector => {
    await page
      .locator(selector)
      .first()
      .evaluate(el => el.scrollIntoView({ block: "start" }));
    await page.waitForTimeout(400);
  };
  await open("session");
  await shot("session");
  await page.locator(".health").screenshot({ path: `${out}/session-health.png` });
  await page.getByLabel("name of a file you miss").fill("000085");
  await page.getByRole("button", { name: "Why?" }).click();
  await page.locator(".told").first().waitFor();
  await page
    .locator(".live-panel")
    .first()
    .screenshot({ path: `${out}/session-files.png` });
  await top(".thresholds");
  const histogram = page.locator(".histogram").nth(2),
    box = await histogram.boundingBox();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 30);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 30, { steps: 6 });
  await page.mouse.up();
  await page.waitForTimeout(300);
  await shot("session-limits");
  if (await page.locator(".square").count()) {
    await page.locator(".square").nth(3).click();
    await top(".two");
    await shot("session-square");
    await page.locator("button", { hasText: "all squares" }).click();
  }
  await page.keyboard.press("ArrowLeft");
  await top(".two");
  await page.waitForTimeout(1200);
  await shot("session-chosen");
  if (process.env.DIALOGS !== "no") {
    await page.keyboard.press("p");
    await page.waitForTimeout(2000);
    await page.getByLabel("Largest diameter (Å)").fill("230");
    await page.waitForResponse(answer => answer.url().endsWith("/try"), { timeout: 120000 });
    await page.getByRole("radio", { name: "all" }).check();
    await page.waitForTimeout(2500);
    await shot("session-tune");
    await page.locator("[role=dialog] button", { hasText: "Close" }).click();
    await page.keyboard.press("t");
    await page.waitForTimeout(2000);
    await page.locator("#field-log_diam_max").fill("260");
    await page.locator("[role=dialog] button", { hasText: "Try" }).last().click();
    await page.waitForResponse(answer => answer.url().endsWith("/try"), { timeout: 120000 });
    await page.waitForTimeout(3000);
    await shot("session-trial");
    await page.locator("[role=dialog] button", { hasText: "Close" }).click();
    await page.locator("button", { hasText: "New session" }).click();
    await page.getByRole("button", { name: "Look", exact: true }).click();
    await page.locator(".facts").waitFor({ timeout: 120000 });
    for (const [key, value] of [
      ["pixel-size", "1.7"],
      ["kv", "300"],
      ["dose-per-frame", "1.4"],
      ["gain", "gain.mrc"],
      ["diameter", "140,190"],
    ])
      await page.locator(`#given-${key}`).fill(value);
    await page.getByRole("button", { name: "Look again" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor({ timeout: 120000 });
    await shot("session-new");
    await page.locator("[role=dialog] button", { hasText: "Cancel" }).click();
  }
  await page.setViewportSize({ width: 390, height: 844 });
  await open("session");
  await shot("session-390");
  await shot("session-390-full", { fullPage: true });
  for (const [n, y] of [
    [2, 800],
    [3, 1600],
    [4, 2400],
    [5, 3200],
  ]) {
    await page.locator("main").evaluate((el, top) => {
      el.scrollTop = top;
    }, y);
    await page.waitForTimeout(300);
    await shot(`session-390-${n}`);
  }
  console.log(
    "width of the page:",
    await page.evaluate(() => document.documentElement.scrollWidth),
    await page.locator("main").evaluate(el => el.scrollWidth),
  );
  problems.forEach(each => console.log(each));
});

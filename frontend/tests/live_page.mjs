// A live session by mouse and keyboard: begin it from the page, watch it, reject and take back, limits and undo,
// tune the picker, apply with the cost, pause, resume, stop; the page at 390 px.     node live_page.mjs BASE GIVEN.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { withPage } from "./browser.mjs";

const [base, givenFile] = process.argv.slice(2);
const { given, movies } = JSON.parse(readFileSync(givenFile, "utf8"));
const step = text => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);
const LONG = { timeout: 300000 };

await withPage(base, async (page, problems) => {
  page.setDefaultTimeout(60000);
  const [project] = await (await page.request.get(`${base}/api/projects`)).json();
  const ask = async path => (await page.request.get(`${base}/api/p/${project.id}/${path}`)).json();
  await page.goto(`${base}/#/p/${project.id}/session`);
  await page.getByText("No micrographs yet.").waitFor();

  step("a new session: look, give what is missing, the first movies as a check, start");
  await page.getByRole("button", { name: "New session" }).click();
  await page.getByRole("button", { name: "Look", exact: true }).click();
  await page.getByText("nobody recorded it: give it").first().waitFor(LONG);
  assert.ok(
    await page.getByRole("button", { name: "Look", exact: true }).isDisabled(),
    "no start while a value is missing",
  );
  for (const [key, value] of Object.entries(given)) await page.locator(`#given-${key}`).fill(value);
  await page.getByRole("button", { name: "Look again" }).click();
  const start = page.getByRole("button", { name: "Start", exact: true });
  await start.waitFor(LONG);
  assert.match(await page.locator(".findings").innerText(), /✓ frames 10 frames[^]*✓ gain/);
  await start.click();

  step("the first micrograph with picks");
  await page.locator("[data-testid=newest] svg path").first().waitFor(LONG);
  await page.waitForFunction(
    n =>
      new RegExp(`${n} found.*${n} accepted`).test(
        document.querySelector(".counts-block")?.textContent ?? "",
      ),
    movies,
    LONG,
  );
  await page.locator(".histogram").nth(2).waitFor();
  await page
    .locator("[data-testid=since]", { hasText: `${movies} movies, ${movies} accepted` })
    .waitFor(LONG);

  step("R sets aside, R takes back, U undoes");
  await page.keyboard.press("ArrowLeft");
  await page.getByText(`Movie ${movies}`).waitFor();
  await page.keyboard.press("r");
  await page.getByText("set aside by hand:").waitFor();
  await page.keyboard.press("r");
  await page.getByText("taken back by hand").waitFor();
  await page.keyboard.press("u");
  await page.getByText("set aside by hand:").waitFor();
  await page.keyboard.press("r");
  await page.getByText("taken back by hand").waitFor();

  step("a limit: what it would drop, apply, undo");
  const histogram = page.getByLabel("histogram of Picks", { exact: true });
  await histogram.scrollIntoViewIfNeeded();
  await histogram.focus();
  for (let n = 0; n < 9; n++) await page.keyboard.press("ArrowRight");
  const preview = await page.locator("[data-testid=preview]").innerText();
  assert.match(preview, /would drop [1-9]/);
  await page.getByRole("button", { name: "Apply to the session" }).click();
  await page.getByText("in force: Picks ≥").waitFor();
  await page
    .getByText(/Picks [\d.]+, accepted is at least/)
    .first()
    .waitFor();
  await page.keyboard.press("u");
  await page.getByText("in force:").waitFor({ state: "detached" });

  step("the picker on micrographs side by side; apply to all with the cost");
  const before = (await ask("live/live1/settings")).AutoPick.options.log_diam_max;
  await page.keyboard.press("p");
  await page.locator("[data-testid=tune-count]").first().filter({ hasText: /\d/ }).waitFor();
  await page.getByLabel("Largest diameter (Å)").fill("230");
  await page.waitForResponse(answer => answer.url().endsWith("/try") && answer.ok(), LONG);
  await page.getByRole("radio", { name: "all" }).check();
  await page.waitForFunction(
    n =>
      document
        .querySelector("[data-testid=cost]")
        ?.textContent.startsWith(`${n} movies are treated again from AutoPick on`),
    movies,
  );
  assert.equal(
    (await ask("live/live1/settings")).AutoPick.options.log_diam_max,
    before,
    "a trial changes nothing",
  );
  await page.locator("[role=dialog]").getByRole("button", { name: "Apply" }).click();
  await page.locator("[role=dialog]").waitFor({ state: "detached" });
  assert.equal((await ask("live/live1/settings")).AutoPick.options.log_diam_max, "230");

  step("a goal, a file that is missed, pause, resume");
  await page.getByRole("button", { name: "set a goal" }).click();
  await page.getByLabel("good particles wanted").fill("20k");
  await page.keyboard.press("Enter");
  await page.getByText("to 20,000 good particles").waitFor();
  await page.getByLabel("name of a file you miss").fill("nothing.tif");
  await page.getByRole("button", { name: "Why?" }).click();
  await page.getByText("no file of that name was seen").waitFor();
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).click(LONG);
  await page.getByRole("button", { name: "Pause" }).waitFor(LONG);

  step("on a phone");
  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(300);
  assert.ok(
    (await page.locator("main").evaluate(el => el.scrollWidth)) <= 390,
    "nothing is wider than the screen",
  );
  await page.getByRole("button", { name: "Stop" }).click();
  await page.locator("[role=dialog]").getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor(LONG);
  assert.deepEqual(problems, []);
  step("done");
});

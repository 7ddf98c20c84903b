// The main path by mouse and keyboard: the manual's chain by Schedule and Browse, Autorun, watch it finish,
// edit picks, choose classes, make a Select job, use a class as template.     node main_path.mjs BASE PLAN.json
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { withPage } from "./browser.mjs";

const [base, planFile] = process.argv.slice(2);
const chain = JSON.parse(readFileSync(planFile, "utf8"));
const step = text => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);

/** Fill one field, whichever tab it is on. */
async function fill(page, key, value) {
  const tabs = page.locator(".job-form .tabs [role=tab]");
  for (let n = 0; n < (await tabs.count()); n++) {
    await tabs.nth(n).click();
    const control = page.locator(`#field-${key}`);
    if (!(await control.count())) continue;
    const field = page.locator(".field", { has: control });
    if (await field.getByRole("radiogroup").count())
      await field.getByRole("radio", { name: value, exact: true }).click();
    else if ((await control.evaluate(el => el.tagName)) === "SELECT")
      await control.selectOption(value);
    else if (
      value.includes("/job") &&
      (await field.getByRole("button", { name: "Browse" }).count())
    ) {
      await field.getByRole("button", { name: "Browse" }).click();
      const offer = page.locator(".offer", { hasText: value.split("/").pop() }).first();
      assert.match(await offer.innerText(), /expected/, `${value} is offered before it exists`);
      await offer.click();
      assert.equal(await control.inputValue(), value);
    } else await control.fill(value);
    return;
  }
  throw new Error(`no field ${key}`);
}

await withPage(base, async (page, problems) => {
  await page.goto(base);
  await page.locator("a.card").first().click();
  await page.getByText("No jobs yet.").waitFor();
  for (const { title, folder, values } of chain) {
    await page.locator(".types a", { hasText: title }).first().click();
    await page.locator(".job-panel h2", { hasText: title }).waitFor();
    for (const [key, value] of Object.entries(values)) await fill(page, key, value);
    await page.getByRole("button", { name: "Schedule", exact: true }).click();
    await page
      .locator(".lists section", { hasText: "Scheduled jobs" })
      .locator("a", { hasText: folder })
      .waitFor();
    step(`scheduled ${folder}`);
  }
  assert.equal(await page.locator(".job-box").count(), chain.length, "every job is in the graph");

  // the order of scheduled jobs, by keys
  const order = () =>
    page.locator(".lists section", { hasText: "Scheduled jobs" }).locator("a").allInnerTexts();
  const before = await order();
  await page.keyboard.press("Alt+ArrowUp"); // the last one is open
  await page.waitForFunction(
    last => ![...document.querySelectorAll(".lists section a")].at(-1)?.textContent.includes(last),
    before.at(-1).trim().split(/\s/).pop(),
  );
  await page.keyboard.press("Alt+ArrowDown");
  await page.waitForFunction(
    last => [...document.querySelectorAll(".lists section a")].at(-1)?.textContent.includes(last),
    before.at(-1).trim().split(/\s/).pop(),
  );
  assert.deepEqual(await order(), before);

  // a scheduled job is opened, changed and stored in place
  await page.locator(".job-box", { hasText: "Class2D" }).click();
  await page.locator(".job-panel h2", { hasText: "Class2D" }).waitFor();
  await fill(page, "nr_iter", "3");
  await page.getByRole("button", { name: "Schedule (store)" }).click();
  await page.locator(".nodes", { hasText: "run_it003_data.star" }).waitFor();

  // Autorun asks how many times, and then how far apart
  await page.getByRole("button", { name: "Autorun" }).click();
  await page.getByRole("menuitem", { name: "Run scheduled jobs", exact: true }).click();
  const dialog = page.getByRole("dialog");
  assert.equal(await dialog.getByRole("checkbox").count(), chain.length);
  assert.equal(await dialog.locator("[name=min_wait]").count(), 0);
  await dialog.locator("[name=repeat]").fill("2");
  await dialog.locator("[name=min_wait]").fill("0");
  await dialog.getByRole("button", { name: "Execute" }).click();
  step("autorun");
  await page.locator(".schedule").waitFor();
  await page
    .locator(".lists section", { hasText: "Running jobs" })
    .locator("a")
    .first()
    .waitFor({ timeout: 60000 });
  await page
    .locator(".lists section", { hasText: "Finished jobs" })
    .locator("a .state.succeeded")
    .nth(chain.length - 1)
    .waitFor({ timeout: 570000 });
  step("the chain has finished");
  await page.locator(".log-bar").first().waitFor(); // the mouse and the cheese as bars
  await page.locator(".schedule").waitFor({ state: "detached" });

  // picks: a copy by hand, one more by a click, one less by Shift-drag, saved and listed
  await page.getByRole("link", { name: "Micrographs" }).click();
  await page.locator(".viewer canvas").waitFor();
  await page.waitForFunction(
    () => Number(document.querySelector("[data-testid=pick-count]")?.textContent) > 0,
  );
  await page.getByRole("button", { name: "Edit a copy by hand" }).click();
  await page.getByRole("button", { name: "Stop editing" }).waitFor({ timeout: 60000 });
  const shown = async () =>
    Number((await page.getByTestId("pick-count").innerText()).replace(/,/g, ""));
  await page.waitForFunction(
    () => Number(document.querySelector("[data-testid=pick-count]")?.textContent) > 0,
  );
  const first = await shown();
  const box = await page.locator(".viewer canvas").boundingBox();
  await page.mouse.click(box.x + box.width / 2 + 3, box.y + box.height / 2 + 5);
  assert.equal(await shown(), first + 1, "a click adds");
  await page.keyboard.down("Shift");
  await page.mouse.click(box.x + box.width / 2 + 3, box.y + box.height / 2 + 5);
  await page.keyboard.up("Shift");
  assert.ok((await shown()) <= first, "Shift-left erases");
  await page.keyboard.press("u");
  assert.equal(await shown(), first + 1, "undo");
  await page.keyboard.press("Control+s");
  await page.getByText(`${first + 1} picks saved`).waitFor();
  await page.getByRole("button", { name: "Finish" }).click();
  step("picks edited");

  // classes: the two largest, by click and Shift-click
  await page.getByRole("link", { name: "Classes" }).click();
  await page.locator(".class-tile").first().click();
  await page
    .locator(".class-tile")
    .nth(1)
    .click({ modifiers: ["Shift"] });
  assert.match(await page.getByTestId("choice").innerText(), /^2 of/);
  await page.getByRole("button", { name: "Make Select job" }).click();
  await page.locator(".job-panel h2 .state.succeeded").waitFor({ timeout: 60000 });
  await page.locator(".node", { hasText: "particles.star" }).first().waitFor();
  step("Select job made");

  // templates by one key: a Select job, then the form of Auto-picking with its averages
  await page.getByRole("link", { name: "Classes" }).click();
  await page.locator(".class-tile").first().click();
  await page.keyboard.press("t");
  await page.locator(".job-panel h2", { hasText: "Auto-picking" }).waitFor();
  assert.match(
    await page.locator("#field-fn_refs_autopick").inputValue(),
    /^Select\/job\d+\/class_averages\.star$/,
  );
  step("templates");
  for (const name of ["Session", "Maps", "Tables", "Report"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.waitForLoadState("networkidle");
  }
  assert.deepEqual(problems, []);
});
step("done");

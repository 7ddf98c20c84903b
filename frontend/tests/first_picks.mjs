// Waits on a session page until the first micrograph with its picks is on screen.     node first_picks.mjs ADDRESS [PICTURE.png]
import { withPage } from "./browser.mjs";

const [address, picture] = process.argv.slice(2);
const base = address.slice(0, address.indexOf("/#"));
await withPage(base, async (page, problems) => {
  await page.goto(address);
  const first = page
    .locator("[data-testid=newest] .mic-thumb", { has: page.locator("svg path") })
    .first();
  await first.waitFor({ timeout: 280000 });
  await page.waitForFunction(
    () => {
      const img = document.querySelector("[data-testid=newest] .mic-thumb img");
      return img && img.complete && img.naturalWidth > 0;
    },
    null,
    { timeout: 30000 },
  );
  if (picture) await page.screenshot({ path: picture });
  problems.forEach(each => console.log(each));
});

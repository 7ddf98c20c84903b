// Screenshots of the session's map panel, light and dark, at a desk and on a phone.     node shots_map.mjs BASE OUT
import { withPage } from "./browser.mjs";

const [base, out] = process.argv.slice(2);
const SIZES = [
  ["", { width: 1440, height: 1150 }],
  ["-phone", { width: 390, height: 2700 }],
];
for (const [name, viewport] of SIZES)
  await withPage(
    base,
    async (page, problems) => {
      const project = (await (await page.request.get(`${base}/api/projects`)).json())[0];
      for (const scheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme: scheme });
        await page.goto("about:blank");
        await page.goto(`${base}/#/p/${project.id}/session`);
        await page.locator(".session-map .surface[data-ready=true]").waitFor({ timeout: 60_000 });
        await page.waitForLoadState("networkidle").catch(() => {});
        await page.waitForTimeout(1500);
        const panel = page.locator(".session-map");
        const dark = scheme === "dark" ? "-dark" : "";
        await panel.screenshot({ path: `${out}/session-map${name}${dark}.png` });
      }
      if (problems.length) console.log(problems.join("\n"));
    },
    { gl: true, viewport },
  );

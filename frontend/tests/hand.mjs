// Is the hand of a map right in the browser? A corner with three arms: x the longest, y, z the shortest.
// A viewer that shows hands right has x to the right, y up and z towards the eye.   node hand.mjs BASE MAP
import assert from "node:assert/strict";
import { withPage } from "./browser.mjs";

const [base, path] = process.argv.slice(2);

/** Bounding box of what is drawn, and which of its four corners are filled. */
async function seen(page) {
  const shot = (await page.locator(".surface").screenshot({ path: process.env.SHOT })).toString(
    "base64",
  );
  return page.evaluate(async data => {
    const bitmap = new Image();
    bitmap.src = `data:image/png;base64,${data}`;
    await bitmap.decode();
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height),
      c = canvas.getContext("2d");
    c.drawImage(bitmap, 0, 0);
    const { data: rgba } = c.getImageData(0, 0, bitmap.width, bitmap.height);
    const drawn = (x, y) => rgba[4 * (y * bitmap.width + x)] < 235;
    let [left, right, top, bottom] = [1e9, -1, 1e9, -1];
    for (let y = 2; y < bitmap.height - 2; y++)
      for (let x = 2; x < bitmap.width - 2; x++)
        if (drawn(x, y)) {
          left = Math.min(left, x);
          right = Math.max(right, x);
          top = Math.min(top, y);
          bottom = Math.max(bottom, y);
        }
    const [wide, tall] = [right - left, bottom - top];
    const filled = (u, v) => {
      // share of a patch a fifth of the box wide
      let n = 0,
        all = 0;
      for (let y = 0; y < tall / 5; y++)
        for (let x = 0; x < wide / 5; x++) {
          all++;
          n += drawn(Math.round(left + u * wide * 0.8 + x), Math.round(top + v * tall * 0.8 + y));
        }
      return n / all > 0.25;
    };
    return {
      wide,
      tall,
      corners: {
        topLeft: filled(0, 0),
        topRight: filled(1, 0),
        bottomLeft: filled(0, 1),
        bottomRight: filled(1, 1),
      },
    };
  }, shot);
}

await withPage(
  base,
  async (page, problems) => {
    const [project] = await (await page.request.get(`${base}/api/projects`)).json();
    await page.goto(`${base}/#/p/${project.id}/maps?a=${path}`);
    await page.locator(".surface[data-ready=true] canvas").waitFor();
    await page.waitForTimeout(1000);
    const corner = { topLeft: true, topRight: false, bottomLeft: true, bottomRight: true };
    const front = await seen(page);
    assert.deepEqual(front.corners, corner, `x to the right and y up: ${JSON.stringify(front)}`);
    assert.ok(
      front.wide > 1.15 * front.tall,
      `the x arm is longer than the y arm: ${JSON.stringify(front)}`,
    );
    await page.locator(".surface").focus();
    for (let n = 0; n < 9; n++) await page.keyboard.press("ArrowRight"); // the near side goes right, by 90 degrees
    await page.waitForTimeout(500);
    const side = await seen(page);
    assert.deepEqual(side.corners, corner, `z was towards the eye: ${JSON.stringify(side)}`);
    assert.ok(
      side.wide < 0.85 * side.tall,
      `the z arm is shorter than the y arm: ${JSON.stringify(side)}`,
    );
    assert.deepEqual(problems, []);
  },
  { gl: true },
);
console.log("the hand is right");

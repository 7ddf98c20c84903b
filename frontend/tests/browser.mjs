// Debian's Chromium by Playwright, with a fresh profile and software WebGL.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const QUIET = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"];

/** Runs `work(page, problems, profile)`; problems collects what pages complain of and requests that leave the server. */
export async function withPage(
  base,
  work,
  { gl = false, viewport = { width: 1440, height: 900 } } = {},
) {
  const profile = mkdtempSync(join(tmpdir(), "verglas-chromium-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [...QUIET, ...(gl ? GL : ["--disable-gpu"])],
    viewport,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const problems = [];
  page.on("pageerror", error => problems.push(`page error: ${error}`));
  page.on("console", message => {
    if (message.type() === "error")
      problems.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", request => {
    if (!/^(data|blob|about):/.test(request.url()) && !request.url().startsWith(base))
      problems.push(`left the server: ${request.url()}`);
  });
  try {
    return await work(page, problems, profile);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

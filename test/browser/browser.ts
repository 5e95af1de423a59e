/**
 * A real browser on the explorer of a real daemon.
 *
 * Owns the browser's start and end, what a page may not do whatever is tested (ask anybody but the daemon, log an error, break the
 * policy of its contents), and the look for what shuts people out. `SCREENSHOTS=DIR` keeps a picture of each view.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { chromium, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const SCHEMES = ["light", "dark"] as const;
const SIZE = { width: 1400, height: 900 };
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The browser of this machine; undefined where there is none. */
export const CHROMIUM = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find((path) => existsSync(path));

/** A browser that was started. */
export interface TestBrowser {
  /** Opens a page, of which `close` asserts that it did nothing that no page may do. */
  open(url: string): Promise<TestPage>;
  close(): Promise<void>;
}

/** A page. */
export interface TestPage {
  readonly page: Page;
  /** Asserts that everybody can use it as it is now (axe-core's rules, WCAG 2.2 AA among them). */
  readonly expectAccessible: () => Promise<void>;
  /** Keeps a picture, in light and dark, where somebody wants some. */
  readonly picture: (name: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Starts the browser. */
export async function startBrowser(): Promise<TestBrowser> {
  const profile = mkdtempSync(join(tmpdir(), "xs-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM ?? "",
    args: FLAGS,
    headless: true,
    viewport: SIZE,
  });
  return {
    open: (url) => openPage(context, url),
    close: async () => {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function openPage(context: BrowserContext, url: string): Promise<TestPage> {
  const page = await context.newPage();
  const { origin } = new URL(url);
  const complaints: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith("data:"))
      complaints.push(`it asked ${request.url()}`);
  });
  page.on("pageerror", (error) => complaints.push(`it threw ${error.message}`));
  // What the daemon refuses a browser logs by itself; what is refused for the policy of its contents too, and that is a mistake.
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
      complaints.push(message.text());
  });
  await page.goto(url);
  return {
    page,
    expectAccessible: () => expectAccessible(page),
    picture: (name) => keepPicture(page, name),
    close: async () => {
      await page.close();
      expect(complaints).toEqual([]);
    },
  };
}

async function expectAccessible(page: Page): Promise<void> {
  // Through the protocol, as the page's own policy would not let it in.
  await page.evaluate(readFileSync(AXE, "utf8"));
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    await page.locator(`html[data-theme="${colorScheme}"]`).waitFor();
    const results = await page.evaluate<AxeResults>("axe.run()");
    expect(results.passes.length).toBeGreaterThan(10);
    const violations = results.violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${colorScheme}: ${id}: ${html}\n${failureSummary ?? ""}`),
    );
    expect(violations).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const directory = process.env["SCREENSHOTS"] ?? "";
  if (directory === "") return;
  mkdirSync(directory, { recursive: true });
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(directory, `${name}-${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: "light" });
}

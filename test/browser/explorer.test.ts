/**
 * The explorer in a real browser, on a storm that a real daemon recorded: each view shows what the history has, the address carries
 * where one is, all of it can be used by the keyboard and by people who cannot see, and nothing is asked of anybody else.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildExplorer } from "../../.scripts/explorer.js";
import type { BisectAnswer } from "../../protocol/http-api/bisect.js";
import type { LogPage } from "../../protocol/http-api/history-queries.js";
import { buildDaemon } from "../support/built-daemon.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import type { WireClient } from "../support/wire-client.js";
import { CHROMIUM, startBrowser, type TestBrowser, type TestPage } from "./browser.js";

const project = resolve(import.meta.dirname, "..", "..");
const VMS = 5;
const FAULTY = 3;
const START_MILLISECONDS = 180_000;
const TEST_MILLISECONDS = 60_000;
const BUNDLE_BYTES_MAX = 150 * 1024;

let daemon: DaemonProcess;
let browser: TestBrowser;
let files: string;
let client: WireClient;
let token: string;
let url: string;

if (CHROMIUM === undefined)
  console.log("no Chromium here (Debian's package chromium): the explorer is not tried in a browser");

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  const built = temporaryDirectory();
  const directory = temporaryDirectory();
  files = join(built, "dist/clients/explorer");
  const command = buildDaemon(built);
  await buildExplorer(files);
  const flags = ["--http", "127.0.0.1:0", "--trace", join(directory, "trace.json")];
  daemon = await startDaemon({ directory, hasConsole: true, command, flags });
  token = readFileSync(join(daemon.runDirectory, "http-token"), "latin1").trim();
  url = daemon.httpUrl ?? "";
  client = await daemon.connect();
  await storm();
  browser = await startBrowser();
}, START_MILLISECONDS);

afterAll(async () => {
  if (CHROMIUM === undefined) return;
  await browser.close();
  await daemon.stop();
});

/** Machines boot, one of them in vain, and go. */
async function storm(): Promise<void> {
  const fault = ["--fault", "hotplug-script-fails", "--vm", String(FAULTY)];
  const words = [
    "storm",
    "--vms",
    String(VMS),
    ...fault,
    "--run-seconds",
    "0.2",
    "--run",
    daemon.runDirectory,
    "--json",
  ];
  const program = ["--import", "tsx", join(project, "simulator/main.ts")];
  // The fault is what it reports by its exit code.
  await promisify(execFile)(process.execPath, [...program, ...words], { cwd: project }).catch((error: unknown) => {
    if ((error as { readonly code?: unknown }).code !== 1) throw error;
  });
}

/** Opens a place, with the token as `xs url` gives it. */
async function open(place: string): Promise<TestPage> {
  return await browser.open(`${url}#token=${token}&${place}`);
}

/** The fragment of the address. */
function fragment(page: Page): string {
  return decodeURIComponent(new URL(page.url()).hash);
}

async function withPage(place: string, act: (opened: TestPage) => Promise<void>): Promise<void> {
  const opened = await open(place);
  try {
    await act(opened);
  } finally {
    await opened.close();
  }
}

/** What the daemon answers to a question. */
async function answerOf<Answer>(route: string): Promise<Answer> {
  const answer = await fetch(url + route, { headers: { authorization: `Bearer ${token}` } });
  return (await answer.json()) as Answer;
}

async function lastSeq(): Promise<number> {
  return (await answerOf<{ readonly seq: number }>("v1/commit")).seq;
}

const suite = describe.skipIf(CHROMIUM === undefined);

suite("the explorer", { timeout: TEST_MILLISECONDS }, () => {
  it("is small", () => {
    const assets = readdirSync(join(files, "assets")).map((name) => readFileSync(join(files, "assets", name)));
    expect(assets.length).toBeGreaterThan(0);
    const bytes = [readFileSync(join(files, "index.html")), ...assets].map((content) => gzipSync(content).length);
    expect(bytes.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(BUNDLE_BYTES_MAX);
  });

  it("takes the token out of the address, and asks for one where it has none", async () => {
    await withPage("/tree?path=/local", async ({ page }) => {
      await page.getByRole("treeitem", { name: "domain" }).waitFor();
      expect(page.url()).not.toContain(token);
      expect(fragment(page)).toBe("#/tree?path=/local");
    });
    await withPage("/tree", async ({ page }) => {
      // Put into a page that is open, and opened in another tab.
      await page.evaluate(`location.hash = "#token=${token}&/tree?path=/tool"`);
      await expect.poll(() => fragment(page)).toBe("#/tree?path=/tool");
      const tab = page.context().waitForEvent("page");
      await page.getByRole("link", { name: "Commit", exact: true }).click({ modifiers: ["Control"] });
      await (await tab).getByRole("heading", { level: 2 }).first().waitFor();
      expect(await (await tab).getByRole("dialog").count()).toBe(0);
      await (await tab).close();
    });
    const stranger = await startBrowser();
    const { page, close, expectAccessible } = await stranger.open(`${url}#/tree?path=/local`);
    await page.getByRole("heading", { name: "This daemon wants its token" }).waitFor();
    await expectAccessible();
    await page.getByRole("textbox", { name: "Token" }).fill(token);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByRole("treeitem", { name: "domain" }).waitFor();
    await close();
    await stranger.close();
  });
});

suite("the tree at a moment", { timeout: TEST_MILLISECONDS }, () => {
  it("shows a node's value, its permissions in words, its history and who made what is below it", async () => {
    await withPage(
      `/tree?at=@{${String(await lastSeq())}}&path=/local/domain/0/name`,
      async ({ page, expectAccessible, picture }) => {
        const node = page.getByRole("region", { name: "Node", exact: true });
        await node.getByText("Domain-0").first().waitFor();
        await node.getByText("dom0 owns it, all others may neither read nor write").waitFor();
        await node.getByRole("listitem").first().waitFor();
        await expectAccessible();
        await picture("tree");
        await page.getByRole("tab", { name: "Blame" }).click();
        await page
          .getByRole("list", { name: "Nodes with their last commits" })
          .getByText("/local/domain/0/name")
          .waitFor();
        await expectAccessible();
      },
    );
  });

  it("goes back and forward in time by keys and by dragging, and the address goes along", async () => {
    const tip = await lastSeq();
    await withPage("/tree?path=/local/domain", async ({ page }) => {
      const cursor = page.getByRole("slider", { name: "Moment" });
      await cursor.waitFor();
      await expect.poll(() => cursor.getAttribute("aria-valuenow")).toBe(String(tip));
      await cursor.focus();
      await page.keyboard.press("ArrowLeft");
      await expect.poll(() => fragment(page)).toContain(`at=@{${String(tip - 1)}}`);
      await expect.poll(() => cursor.getAttribute("aria-valuenow")).toBe(String(tip - 1));
      await page.keyboard.press("Home");
      await expect.poll(() => cursor.getAttribute("aria-valuenow")).toBe("1");
      await page.keyboard.press("End");
      await expect.poll(() => cursor.getAttribute("aria-valuenow")).toBe(String(tip));
      await expect.poll(() => fragment(page)).toBe("#/tree?path=/local/domain");
      await drag(page, 0.9, 0.4);
      await expect.poll(() => fragment(page)).toMatch(/at=@\{\d+\}/);
      const [, seq] = /at=@\{(\d+)\}/.exec(fragment(page)) ?? [];
      expect(Number(seq)).toBeLessThan(tip);
      // The same address shows the same moment.
      await page.reload();
      await expect.poll(() => cursor.getAttribute("aria-valuenow")).toBe(seq);
      await page.goBack();
      await expect.poll(() => fragment(page)).not.toContain("at=");
    });
  });

  it("marks what the commit of the moment changed", async () => {
    await client.must("WRITE", ["/explorer/marked", "before"]);
    await client.must("WRITE", ["/explorer/marked", "after"]);
    await withPage(`/tree?at=@{${String(await lastSeq())}}&path=/explorer/marked`, async ({ page }) => {
      const row = page.getByRole("treeitem", { name: "marked" });
      await row.getByRole("img", { name: "changed with this commit" }).waitFor();
      const changed = page.getByRole("heading", { name: /Changed at this moment/ }).locator("..");
      await changed.getByText("- before").waitFor();
      await changed.getByText("+ after").waitFor();
    });
  });

  it("follows the tip", async () => {
    await client.must("WRITE", ["/explorer/tip", "one"]);
    await withPage("/tree?path=/explorer/tip", async ({ page }) => {
      const node = page.getByRole("region", { name: "Node", exact: true });
      await node.locator("dd", { hasText: "one" }).waitFor();
      await client.must("WRITE", ["/explorer/tip", "two"]);
      await node.locator("dd", { hasText: "two" }).waitFor();
    });
  });

  it("is walked and unfolded by the keyboard", async () => {
    await withPage("/tree", async ({ page }) => {
      const tree = page.getByRole("tree", { name: "Nodes" });
      await page.getByRole("treeitem", { name: "domain" }).waitFor();
      await tree.focus();
      await page.keyboard.press("End");
      await page.keyboard.press("Home");
      const chosen = tree.locator('[aria-selected="true"]');
      const first = await chosen.textContent();
      await page.keyboard.press("ArrowDown");
      await expect.poll(() => chosen.textContent()).not.toBe(first);
      await page.keyboard.press("ArrowUp");
      await expect.poll(() => chosen.textContent()).toBe(first);
      await page.keyboard.press("ArrowRight");
      await expect.poll(() => chosen.getAttribute("aria-expanded")).toBe("true");
      await page.keyboard.press("ArrowLeft");
      await expect.poll(() => chosen.getAttribute("aria-expanded")).toBe("false");
    });
  });

  it("finds nodes by path and by value", async () => {
    await client.must("WRITE", ["/explorer/found", "a needle in it"]);
    await withPage("/tree", async ({ page, expectAccessible }) => {
      await page.getByRole("searchbox", { name: "Find" }).fill("NEEDLE");
      const found = page.getByRole("list", { name: "Nodes found" });
      await found.getByText("/explorer/found").click();
      await expect.poll(() => fragment(page)).toBe("#/tree?path=/explorer/found");
      await page.getByRole("searchbox", { name: "Find" }).fill("explorer/fou");
      await found.getByText("/explorer/found").waitFor();
      await expectAccessible();
      await page.getByRole("searchbox", { name: "Find" }).fill("there is no such thing");
      await page.getByText("0 nodes").waitFor();
    });
  });

  it("says what is wrong with a moment", async () => {
    await withPage("/tree?at=@{999999999}", async ({ page }) => {
      await page.getByRole("alert").first().getByText("there is no commit @{999999999}").waitFor();
    });
    // Also where there was another one before, which the address does not go back to.
    await withPage("/tree?at=@{5}", async ({ page }) => {
      await expect.poll(() => page.getByRole("slider", { name: "Moment" }).getAttribute("aria-valuenow")).toBe("5");
      await page.evaluate('location.hash = "#/tree?at=@{999999999}"');
      await page.getByRole("alert").first().getByText("there is no commit @{999999999}").waitFor();
      await page.waitForTimeout(500);
      expect(fragment(page)).toBe("#/tree?at=@{999999999}");
    });
  });
});

suite("a boot", { timeout: TEST_MILLISECONDS }, () => {
  const list = (page: Page): ReturnType<Page["getByRole"]> =>
    page.getByRole("listbox", { name: "Requests, events, transactions and states in view, by time" });

  it("is a conversation that can be narrowed to a machine, and zoomed and read by the keyboard", async () => {
    await withPage("/boot", async ({ page, expectAccessible, picture }) => {
      const heading = page.getByRole("heading", { name: /^In view: / });
      await list(page).getByRole("option").first().waitFor();
      await expectAccessible();
      await picture("boot");
      const all = await things(heading);
      expect(all).toBeGreaterThan(1000);
      await page.getByRole("combobox", { name: /^Domain/ }).selectOption(String(FAULTY));
      await expect.poll(() => fragment(page)).toContain(`domain=${String(FAULTY)}`);
      await expect.poll(() => things(heading)).toBeLessThan(all / 2);
      const own = await things(heading);
      await page.getByRole("application").focus();
      for (let step = 0; step < 3; step++) await page.keyboard.press("+");
      await expect.poll(() => things(heading)).toBeLessThan(own);
      await page.keyboard.press("0");
      await expect.poll(() => things(heading)).toBe(own);
      await list(page).focus();
      await page.keyboard.press("Home");
      await page.keyboard.press("ArrowDown");
      const chosen = list(page).locator('[aria-selected="true"]');
      await chosen.waitFor();
      const details = page.getByRole("region", { name: "Details" });
      await details.locator("dd", { hasText: / of dom(?:0|ain \d+)$/ }).waitFor();
      await expectAccessible();
      await picture("boot-machine");
      // The same address shows the same thing.
      const said = await chosen.textContent();
      await page.reload();
      await expect.poll(() => chosen.textContent()).toBe(said);
    });
  });

  it("is compared with another, from their beginnings: the first difference is that of the fault", async () => {
    await withPage(`/boot?domain=2&compare=${String(FAULTY)}`, async ({ page, expectAccessible, picture }) => {
      const first = page.getByRole("status").filter({ hasText: "First difference" });
      await first.getByText(`/local/domain/0/backend/vbd/$D/51712/`).first().waitFor();
      await expectAccessible();
      await picture("boot-compared");
    });
    await withPage("/boot?domain=1&compare=2", async ({ page }) => {
      await page.getByRole("status").filter({ hasText: "No difference" }).waitFor();
    });
  });
});

suite("a commit", { timeout: TEST_MILLISECONDS }, () => {
  it("is shown with requests and a difference, and can be undone after a second look", async () => {
    await client.must("WRITE", ["/explorer/undone", "kept"]);
    await client.must("WRITE", ["/explorer/undone", "mistake"]);
    const seq = await lastSeq();
    await withPage(`/commit?revision=@{${String(seq)}}`, async ({ page, expectAccessible, picture }) => {
      await page.getByRole("heading", { level: 2, name: "dom0: WRITE /explorer/undone" }).waitFor();
      await page.getByText("- kept").waitFor();
      await page.getByText("+ mistake").waitFor();
      await expectAccessible();
      await picture("commit");
      await page.getByRole("button", { name: "Undo this commit" }).click();
      await page.getByRole("button", { name: "Undo it …" }).click();
      await expectAccessible();
      expect(await client.must("READ", ["/explorer/undone"])).toBe("mistake");
      await page.getByRole("button", { name: "Undo it now" }).click();
      await page.getByText("Done, 1 change").waitFor();
      expect(await client.must("READ", ["/explorer/undone"])).toBe("kept");
    });
  });

  it("of another branch is not taken for the one of main that has its number", async () => {
    const fork = await post("v1/forks", { name: "beside", revision: "HEAD" });
    expect(fork.status).toBe(200);
    await client.must("WRITE", ["/explorer/main", "stays"]);
    await put("v1/tree/explorer/fork?branch=beside", { value: "x" });
    await withPage("/commit?revision=beside", async ({ page }) => {
      await page.getByRole("heading", { level: 2, name: "dom0: WRITE /explorer/fork" }).waitFor();
      await page.getByRole("button", { name: "Undo this commit" }).click();
      // It is not in main: there is nothing to undo there.
      await page.getByText("Nothing would change").or(page.getByRole("alert")).first().waitFor();
      expect(await page.getByRole("button", { name: "Undo it" }).count()).toBe(0);
      await page.getByRole("link", { name: "The tree at this moment" }).click();
      await page.getByRole("treeitem", { name: "explorer" }).waitFor();
      await page.getByRole("button", { name: "Previous commit" }).click();
      await expect.poll(() => fragment(page)).toMatch(/at=[0-9a-f]{40}~1$/);
    });
    expect(await client.must("READ", ["/explorer/main"])).toBe("stays");
  });

  it("is found by any revision, and what is none is said", async () => {
    await withPage("/commit?revision=HEAD", async ({ page }) => {
      await page.getByLabel("Commit").fill("@{2}");
      await page.getByRole("button", { name: "Show" }).click();
      await page.locator("dd", { hasText: /^2$/ }).waitFor();
      await page.getByRole("button", { name: "Previous" }).click();
      await page.locator("dd", { hasText: /^1$/ }).waitFor();
      await page.getByLabel("Commit").fill("nonsense");
      await page.getByRole("button", { name: "Show" }).click();
      await page.getByRole("alert").getByText('there is no "nonsense" in this history').waitFor();
    });
  });
});

suite("a bisection", { timeout: TEST_MILLISECONDS }, () => {
  it("finds the commit that broke the machine, as xs bisect does, and shows each halving", async () => {
    const query = new URLSearchParams({ predicate: "hotplug-script-fails", domain: String(FAULTY) });
    // Gone at the tip, with the machine: bad is while it was there.
    const bad = await brokenSeq();
    query.set("bad", `@{${String(bad)}}`);
    const { first, steps } = await answerOf<BisectAnswer>(`v1/bisect?${query.toString()}`);
    await withPage(`/bisect?at=@{${String(bad)}}`, async ({ page, expectAccessible, picture }) => {
      await expect
        .poll(() => page.getByRole("slider", { name: "Moment" }).getAttribute("aria-valuenow"))
        .toBe(String(bad));
      await page.getByRole("button", { name: "Bad at the cursor" }).click();
      await page.getByLabel("Bad where").fill("hotplug-script-fails");
      await page.getByLabel("Domain ($D)").fill(String(FAULTY));
      await page.getByRole("button", { name: "Find the first bad commit" }).click();
      await page.getByRole("heading", { name: "The first bad commit" }).waitFor();
      await page
        .getByRole("link", { name: String(first.seq), exact: true })
        .first()
        .waitFor();
      expect(await page.locator(".halving li").count()).toBe(steps);
      await expectAccessible();
      await picture("bisect");
    });
  });

  it("ends at the newest bad commit where the machine is gone at the tip", async () => {
    await withPage(`/bisect?predicate=hotplug-script-fails&domain=${String(FAULTY)}`, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Find the first bad commit" }).click();
      await page.getByText("It is over at the tip: the newest bad commit is").waitFor();
      await picture("bisect-over");
    });
  });

  it("says what is wrong with a predicate", async () => {
    await withPage("/bisect?predicate=exists+/nowhere", async ({ page }) => {
      await page.getByRole("button", { name: "Find the first bad commit" }).click();
      await page.getByRole("alert").getByText("it holds at neither").waitFor();
    });
  });
});

suite("a rollback", { timeout: TEST_MILLISECONDS }, () => {
  it("shows what would change, asks, and does it", async () => {
    await client.must("WRITE", ["/explorer/rolled/back", "as it was"]);
    const then = await lastSeq();
    await client.must("WRITE", ["/explorer/rolled/back", "as it is"]);
    await client.must("WRITE", ["/explorer/rolled/new", "x"]);
    await client.must("WRITE", ["/explorer/elsewhere", "stays"]);
    await withPage(
      `/rollback?at=@{${String(then)}}&path=/explorer/rolled`,
      async ({ page, expectAccessible, picture }) => {
        await page.getByText("2 changes to be made").waitFor();
        await expectAccessible();
        await picture("rollback");
        await page.getByRole("button", { name: "Roll back …" }).click();
        expect(await client.must("READ", ["/explorer/rolled/back"])).toBe("as it is");
        await expectAccessible();
        await page.getByRole("button", { name: "Roll back now" }).click();
        await page.getByText("Done, 2 changes").waitFor();
        expect(await client.must("READ", ["/explorer/rolled/back"])).toBe("as it was");
        expect(await client.must("READ", ["/explorer/elsewhere"])).toBe("stays");
      },
    );
  });
});

suite("live", { timeout: TEST_MILLISECONDS }, () => {
  it("shows a thousand commits a second, answers meanwhile, and can be stopped", async () => {
    await withPage("/live", async ({ page, expectAccessible, picture }) => {
      await page.getByText("Nothing has been committed since you look.").waitFor();
      const writing = new AbortController();
      const written = writeSteadily(writing.signal);
      const list = page.getByRole("list", { name: "Commits, newest first" });
      await list.getByRole("listitem").first().waitFor();
      // The longest time for which the page did nothing else, over three seconds.
      const pauses = await page.evaluate<number>(LONGEST_PAUSE);
      await picture("live");
      await page.getByRole("button", { name: "Stop" }).click();
      const top = await list.getByRole("listitem").first().textContent();
      await page.waitForTimeout(500);
      expect(await list.getByRole("listitem").first().textContent()).toBe(top);
      writing.abort();
      const count = await written;
      expect(count).toBeGreaterThan(3000);
      expect(pauses).toBeLessThan(1000);
      await page.getByRole("button", { name: "Go on" }).click();
      await list
        .getByText(`/explorer/live/${String((count - 1) % 10)}`)
        .first()
        .waitFor();
      await expectAccessible();
    });
  });
});

suite("the API's description", { timeout: TEST_MILLISECONDS }, () => {
  it("has every route of the document", async () => {
    const { paths } = await answerOf<{ readonly paths: Readonly<Record<string, object>> }>("v1/openapi.json");
    await withPage("/api", async ({ page, expectAccessible, picture }) => {
      for (const path of Object.keys(paths)) await page.locator("summary code", { hasText: path }).first().waitFor();
      await expectAccessible();
      await picture("api");
    });
  });
});

/** How many things are in view, of a heading that says so. */
async function things(heading: ReturnType<Page["getByRole"]>): Promise<number> {
  return Number(/[0-9,]+/.exec((await heading.textContent()) ?? "")?.[0].replaceAll(",", ""));
}

async function post(route: string, body: object): Promise<Response> {
  return await sendTo("POST", route, body);
}

async function put(route: string, body: object): Promise<Response> {
  return await sendTo("PUT", route, body);
}

async function sendTo(method: string, route: string, body: object): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  return await fetch(url + route, { method, headers, body: JSON.stringify(body) });
}

/** Drags the cursor between two places of the timeline, told as shares of its width. */
async function drag(page: Page, from: number, to: number): Promise<void> {
  const box = await page.locator(".timeline-plot").boundingBox();
  if (box === null) throw new Error("there is no timeline");
  const y = box.y + box.height / 2;
  await page.mouse.move(box.x + from * box.width, y);
  await page.mouse.down();
  await page.mouse.move(box.x + to * box.width, y, { steps: 20 });
  await page.mouse.up();
}

/** The last commit at which it could be seen that the faulty machine's script had failed. */
async function brokenSeq(): Promise<number> {
  const path = `/local/domain/0/backend/vbd/${String(FAULTY)}/51712/hotplug-status`;
  const { commits } = await answerOf<LogPage>(`v1/log?path=${path}&limit=20`);
  // The newest one took it away.
  return (commits[0]?.seq ?? 0) - 1;
}

/** Some 1,000 commits a second, until it is stopped. @returns how many */
async function writeSteadily(ended: AbortSignal): Promise<number> {
  const begin = performance.now();
  let count = 0;
  while (!ended.aborted) {
    while (count < performance.now() - begin) {
      await client.must("WRITE", [`/explorer/live/${String(count % 10)}`, String(count)]);
      count++;
    }
    await new Promise((resolveTurn) => setTimeout(resolveTurn, 1));
  }
  return count;
}

const LONGEST_PAUSE = `new Promise((resolve) => {
  const end = performance.now() + 3000;
  let [last, longest] = [performance.now(), 0];
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (now < end) setTimeout(look, 0);
    else resolve(longest);
  };
  look();
})`;

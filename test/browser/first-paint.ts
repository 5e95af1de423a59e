/**
 * `first-paint.ts URL TOKEN ROUNDS`: how soon the explorer shows something, in a browser whose cache is empty each time; a line of JSON.
 * `npm run bench -- explorer` runs it.
 */
import { startBrowser } from "./browser.js";

const [url = "", token = "", rounds = "1"] = process.argv.slice(2);

/** Milliseconds since the navigation began: the first paint of content; the tree, the timeline and the node are there. */
const PAINTED = `(() => {
  const [entry] = performance.getEntriesByName("first-contentful-paint");
  return entry === undefined ? -1 : entry.startTime;
})()`;

const times: { readonly painted: number; readonly complete: number }[] = [];
for (let round = 0; round < Number(rounds); round++) {
  const browser = await startBrowser();
  const { page, close } = await browser.open(`${url}#token=${token}&/tree?path=/local/domain`);
  await page.getByRole("treeitem", { name: "domain" }).waitFor();
  await page.getByRole("slider", { name: "Moment" }).waitFor();
  await page.getByRole("heading", { name: "/local/domain", exact: true }).waitFor();
  const complete = Number(await page.evaluate("performance.now()"));
  times.push({ painted: Number(await page.evaluate(PAINTED)), complete });
  await close();
  await browser.close();
}
console.log(JSON.stringify(times));

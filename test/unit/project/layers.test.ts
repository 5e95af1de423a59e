/**
 * The layer check, on small trees that break one rule each.
 *
 * A rule that never fires looks like a rule that is kept, so every kind of rule is broken here once.
 */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkLayers } from "../../../.scripts/layers.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..", "..");
const before = process.cwd();
afterAll(() => process.chdir(before));

/** A tree that keeps all rules, with `files` added to it or put in the place of what is there. */
async function checkTree(files: Record<string, string>): Promise<readonly string[]> {
  const directory = temporaryDirectory();
  const sound = {
    "tsconfig.json": `{ "compilerOptions": { "module": "nodenext" } }`,
    "package.json": `{ "type": "module", "dependencies": { "node-ipc": "12.0.0", "commander": "14.0.3", "isomorphic-git": "1.0.0" } }`,
    "protocol/bytes.ts": `export const zero = 0;`,
    "daemon/store/node.ts": `import { zero } from "../../protocol/bytes.js"; export const node = zero;`,
    "daemon/main.ts": `import { node } from "./store/node.js"; console.log(node);`,
  };
  for (const [name, text] of Object.entries({ ...sound, ...files })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  symlinkSync(join(project, "node_modules"), join(directory, "node_modules"));
  // dependency-cruiser looks for tsconfig.json in the working directory.
  process.chdir(directory);
  const report = await checkLayers(directory);
  return report.problems;
}

describe("checkLayers", () => {
  test("finds nothing wrong with a tree that keeps the rules", async () => {
    expect(await checkTree({})).toEqual([]);
  });

  test.each<[claim: string, files: Record<string, string>, problem: string]>([
    [
      "an import against the direction of the layers",
      {
        "protocol/bytes.ts": `import type { Node } from "../daemon/store/other.js"; export const zero: Node = 0;`,
        "daemon/store/other.ts": `export type Node = number;`,
      },
      "protocol may import only [protocol]: protocol/bytes.ts → daemon/store/other.ts",
    ],
    [
      "an npm package that the layer may not import",
      { "protocol/bytes.ts": `import "commander"; export const zero = 0;` },
      "protocol may import from npm only [re2js]: protocol/bytes.ts",
    ],
    [
      "isomorphic-git in the folder that writes the repository",
      { "daemon/history/repository/ref-store.ts": `import "isomorphic-git"; export const refs = 0;` },
      "daemon/history/repository may import from npm only []",
    ],
    [
      "a clock in the pure core",
      { "daemon/store/node.ts": `import "node:perf_hooks"; export const node = 0;` },
      "the pure core has no effects: daemon/store/node.ts → perf_hooks",
    ],
    [
      "a file read by the Git objects",
      { "daemon/history/object/oid.ts": `import "node:fs"; export const oid = 0;` },
      "objects may hash and deflate, nothing else: daemon/history/object/oid.ts → fs",
    ],
    [
      "a cycle",
      {
        "daemon/store/node.ts": `import "./other.js"; export const node = 0;`,
        "daemon/store/other.ts": `import "./node.js";`,
      },
      "no-circular: daemon/store/node.ts → daemon/store/other.ts → daemon/store/node.ts",
    ],
    [
      "a module that nobody uses",
      { "daemon/store/lonely.ts": `export const x = 0;` },
      "no-orphans: daemon/store/lonely.ts",
    ],
    [
      "a module that does not exist",
      { "daemon/main.ts": `import "./missing.js"; import "./store/node.js";` },
      "not-resolvable: daemon/main.ts → ./missing.js",
    ],
    [
      "an import from the tests",
      {
        "daemon/main.ts": `import "../test/support/seed.js"; import "./store/node.js";`,
        "test/support/seed.ts": `export const seed = 0;`,
      },
      "nobody-imports-test: daemon/main.ts → test/support/seed.ts",
    ],
    [
      "a daemon that imports a client",
      {
        "daemon/main.ts": `import "../clients/xenstore/client.js"; import "./store/node.js";`,
        "clients/xenstore/client.ts": `export const client = 0;`,
      },
      "daemon/*.ts may import only [daemon/*.ts, protocol, daemon]: daemon/main.ts → clients/xenstore/client.ts",
    ],
    [
      "a folder without a row in the table",
      { "daemon/new/thing.ts": `import "../store/node.js";` },
      "every folder has a row in the table: daemon/new/thing.ts → daemon/store/node.ts",
    ],
  ])("reports %s", async (_claim, files, problem) => {
    expect((await checkTree(files)).join("\n")).toContain(problem);
  });

  test("lets a file in daemon/ import every part of the daemon", async () => {
    const files = {
      "daemon/daemon.ts": `import "./server/server.js"; import "commander";`,
      "daemon/server/server.ts": `import "node-ipc";`,
    };
    expect(await checkTree(files)).toEqual([]);
  });
});

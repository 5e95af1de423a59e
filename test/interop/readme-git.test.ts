/**
 * The README's examples of plain Git, each tried on a recorded history.
 */
import { execFileSync, type ExecFileSyncOptionsWithStringEncoding } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import { createRepository, MAIN_REF } from "../../daemon/history/repository/layout.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Root } from "../../daemon/store/root.js";
import { emptyRoot } from "../../daemon/store/root.js";
import type { Seq } from "../../protocol/identifiers.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { commitBetween, editRoot, type Edit } from "../property/history-generator.js";
import { temporaryDirectory } from "../support/temporary-directory.js";

const COMMITS = 24;
/** From this one on the state is 6. */
const BROKEN = 17;

let directory: string;
let broken: string;

beforeAll(() => {
  directory = temporaryDirectory();
  const repository = join(directory, ".xenstore", "state", "store.git");
  mkdirSync(join(directory, ".xenstore", "state"), { recursive: true });
  createRepository(nodeFileSystem, repository);
  const recorder = new HistoryRecorder({
    fileSystem: nodeFileSystem,
    repositoryDirectory: repository,
    ref: MAIN_REF,
    hostName: "host",
  });
  const perms = parsePerms(["n0"]) as Perms;
  let root: Root = emptyRoot();
  for (let seq = 1; seq <= COMMITS; seq++) {
    const before = root;
    const domain = ["local", "domain", "7"];
    const edits: Edit[] = [
      { kind: "set", names: [...domain, "state"], value: seq < BROKEN ? "4" : "6", perms },
      { kind: "set", names: [...domain, "count"], value: String(seq), perms },
    ];
    for (const edit of edits) root = editRoot(root, edit, seq as Seq);
    recorder.record(commitBetween(before, root, seq));
  }
  recorder.seal();
  recorder.close();
  git("-C", repository, "tag", "good", "main~20");
  broken = git("-C", repository, "rev-parse", `main~${String(COMMITS - BROKEN)}`).trim();
});

function git(...words: readonly string[]): string {
  return execFileSync("git", words, { cwd: directory, encoding: "latin1" });
}

/** The lines of the README's block of Git commands. */
function examples(): readonly string[] {
  const readme = readFileSync(join(import.meta.dirname, "..", "..", "README.md"), "utf8");
  const [, block = ""] = /readme-git\.test\.ts\. -->\n\n```sh\n([^`]*(?:`[^`]+`[^`]*)*)\n```/.exec(readme) ?? [];
  return block.split("\n");
}

describe("the README's examples of plain Git", () => {
  test("work as they stand there", () => {
    const lines = examples();
    expect(lines.length).toBe(5);
    const output = new Map<string, string>();
    for (const line of lines) {
      const options: ExecFileSyncOptionsWithStringEncoding = {
        cwd: directory,
        encoding: "latin1",
        stdio: ["ignore", "pipe", "ignore"],
      };
      output.set(line.replace(/\s+#.*/, ""), execFileSync("sh", ["-c", line], options));
    }
    expect(output.get("git -C incident log -p -- local/domain/7")).toMatch(/^-4\n\\ No newline at end of file\n\+6$/m);
    expect(output.get("git -C incident blame local/domain/7/state")).toContain(broken.slice(0, 8));
    const run = [...output].find(([line]) => line.includes("bisect run"))?.[1];
    expect(run).toContain(`${broken} is the first bad commit`);
  });
});

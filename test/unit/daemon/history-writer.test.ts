import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createHistory } from "../../../daemon/history-writer.js";
import type { Domid, Microseconds, Path, Seq } from "../../../protocol/identifiers.js";
import { parsePerms } from "../../../protocol/perms.js";
import type { Commit } from "../../../daemon/store/commit.js";
import { temporaryDirectory } from "../../support/temporary-directory.js";

function commit(seq: number): Commit {
  const perms = parsePerms(["n0"]);
  if (perms === undefined) throw new Error("n0 are perms");
  const path = `/k${String(seq)}` as Path;
  return {
    seq: seq as Seq,
    time: (seq * 1_000_000) as Microseconds,
    origin: { domid: 5 as Domid, connection: "A1", transaction: undefined },
    base: (seq - 1) as Seq,
    requests: [{ operation: "WRITE", subject: path, detail: "v", detailBytes: 1 }],
    requestsOmitted: 0,
    changes: [{ kind: "node", path, before: undefined, after: { value: "v", perms } }],
  };
}

describe("createHistory", () => {
  it("writes commits as Git has them, with their own authors and times", () => {
    const stateDirectory = join(temporaryDirectory(), "state");
    const writer = createHistory({ stateDirectory, hostName: "elsewhere" });
    writer.record([commit(1), commit(2)]);
    writer.record([commit(3)]);
    writer.finish();
    const run = (...parameters: readonly string[]) =>
      spawnSync("git", ["-C", writer.repository, ...parameters], { encoding: "utf8" });
    expect(run("log", "--reverse", "--format=%ae %at %ct %s", "main").stdout.trimEnd().split("\n")).toEqual([
      "dom5@elsewhere 1 1 dom5: WRITE /k1",
      "dom5@elsewhere 2 2 dom5: WRITE /k2",
      "dom5@elsewhere 3 3 dom5: WRITE /k3",
    ]);
    expect(run("fsck", "--strict").status).toBe(0);
  });

  it("refuses a directory with anything in it, and a history that somebody writes", () => {
    const directory = temporaryDirectory();
    const stateDirectory = join(directory, "state");
    const writer = createHistory({ stateDirectory, hostName: "elsewhere" });
    const again = () => createHistory({ stateDirectory, hostName: "elsewhere" });
    expect(again).toThrow(`${stateDirectory}.incomplete is in use by process ${String(process.pid)}`);
    writer.finish();
    expect(again).toThrow(`${stateDirectory} holds something already: name a directory for the new history`);
    mkdirSync(join(directory, "other"));
    writeFileSync(join(directory, "other", "mine"), "");
    expect(() => createHistory({ stateDirectory: join(directory, "other"), hostName: "elsewhere" })).toThrow();
    expect(readdirSync(directory).sort()).toEqual(["other", "state"]);
  });

  it("has no state before it is finished, and none when it is abandoned", () => {
    const directory = temporaryDirectory();
    const stateDirectory = join(directory, "state");
    const writer = createHistory({ stateDirectory, hostName: "elsewhere" });
    writer.record([commit(1)]);
    expect(readdirSync(directory)).toEqual(["state.incomplete"]);
    writer.abandon();
    writer.abandon();
    expect(readdirSync(directory)).toEqual([]);
    const second = createHistory({ stateDirectory, hostName: "elsewhere" });
    second.finish();
    second.abandon();
    expect(readdirSync(directory)).toEqual(["state"]);
    expect(readdirSync(stateDirectory).sort()).toEqual(["lock", "store.git"]);
  });

  it("takes the place of an empty directory, and no other's", () => {
    const stateDirectory = join(temporaryDirectory(), "state");
    mkdirSync(stateDirectory);
    const writer = createHistory({ stateDirectory, hostName: "elsewhere" });
    writeFileSync(join(stateDirectory, "mine"), "");
    expect(() => {
      writer.finish();
    }).toThrow("ENOTEMPTY");
    writer.abandon();
    expect(readdirSync(join(stateDirectory, ".."))).toEqual(["state"]);
    expect(readdirSync(stateDirectory)).toEqual(["mine"]);
  });

  it("begins anew where one was killed in the midst of it", () => {
    const stateDirectory = join(temporaryDirectory(), "state");
    mkdirSync(join(`${stateDirectory}.incomplete`, "store.git"), { recursive: true });
    writeFileSync(join(`${stateDirectory}.incomplete`, "store.git", "HEAD"), "half of");
    writeFileSync(join(`${stateDirectory}.incomplete`, "lock"), "4194304\n");
    const writer = createHistory({ stateDirectory, hostName: "elsewhere" });
    writer.record([commit(1)]);
    writer.finish();
    const { stdout } = spawnSync("git", ["-C", writer.repository, "log", "--format=%s", "main"], { encoding: "utf8" });
    expect(stdout).toBe("dom5: WRITE /k1\n");
  });
});

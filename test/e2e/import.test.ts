/**
 * `xs-sim import`: logs of other daemons become histories that Git reads and a daemon opens.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { runImport, type ImportReport } from "../../simulator/import/run-import.js";
import { startDaemon } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");

const OXENSTORED = `# a comment
[20200918T15:15:18.045Z]  A41354.7     t start${"   "}
[20200918T15:15:18.046Z]  A41354.7     write     /local/domain/5/name vm5
[20200918T15:15:18.046Z]  A41354.7     mkdir     /local/domain/5/data${" "}
[20200918T15:15:18.046Z]  A41354.7     setperms  /local/domain/5/data n5 r0${" "}
[20200918T15:15:18.047Z]  A41248       w event   /local/domain/5 token
[20200918T15:15:18.050Z]  A41354.7     commit${"    "}
[20200918T15:15:19.000Z]  D5           write     data/state 1
[20200918T15:15:20.000Z]  D5           write     /local/domain/5/foreign ${"v".repeat(200).slice(0, 154)}..
[20200918T15:15:21.000Z]  A41355.3     write     /never 1
[20200918T15:15:21.000Z]  A41355.3     conflict${"  "}
[20200918T15:15:22.000Z]  A41355       rm        /missing/node${" "}
what is this?
[20200918T15:15:23.000Z]  A41355       write     /local/domain/5/name renamed
`;

const C = `IN 0xa1 20230120 17:40:53 INTRODUCE (3 1 1 )
CREATE connection 0xb2
OUT 0xa1 20230120 17:40:53 INTRODUCE (OK )
IN 0xa1 20230120 17:40:54 TRANSACTION_START ( )
OUT 0xa1 20230120 17:40:54 TRANSACTION_START (9 )
IN 0xa1 20230120 17:40:54 WRITE (/local/domain/3/device/state 1)
OUT 0xa1 20230120 17:40:54 WRITE (OK )
IN 0xa1 20230120 17:40:54 SET_PERMS (/local/domain/3/device/state n3 r0 )
OUT 0xa1 20230120 17:40:54 SET_PERMS (OK )
IN 0xa1 20230120 17:40:55 TRANSACTION_END (T )
OUT 0xa1 20230120 17:40:55 TRANSACTION_END (OK )
IN 0xb2 20230120 17:40:56 WRITE (device/state two
lines)
OUT 0xb2 20230120 17:40:56 WRITE (OK )
IN 0xa1 20230120 17:40:57 RELEASE (3 )
DESTROY connection 0xb2
orphaned node /local/domain/3/device/state deleted
OUT 0xa1 20230120 17:40:57 RELEASE (OK )
`;

function git(repository: string, ...parameters: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("git", ["-C", repository, ...parameters], { encoding: "latin1" });
  if (status !== 0) throw new Error(`git ${parameters.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

const FORMAT =
  "%an %at %s | %(trailers:key=Connection,valueonly,separator=) %(trailers:key=Transaction,valueonly,separator=)";

async function imported(directory: string, text: string): Promise<ImportReport> {
  const file = join(directory, "old.log");
  writeFileSync(file, text, "latin1");
  const report = await runImport({ file, directory, format: undefined, progress: undefined });
  git(report.repository, "fsck", "--strict");
  return report;
}

const seconds = (time: string): string => String(Date.parse(time) / 1000);

describe("xs-sim import", () => {
  it("makes of oxenstored's log a history with its authors, times and transactions, which a daemon opens", async () => {
    await withTemporaryDirectory(async (directory) => {
      const report = await imported(directory, OXENSTORED);
      expect(report).toMatchObject({
        format: "oxenstored",
        requests: 7,
        transactions: 1,
        conflicts: 1,
        cutValues: 1,
        standIns: 1,
        skipped: [{ line: 13, reason: "no line of an access log" }],
        earlierNodes: 2,
        refused: [],
        notes: [
          expect.stringContaining("made just before that, by the connection `import`") as string,
          expect.stringContaining("oxenstored tells it with access-log-read-ops = true") as string,
        ],
      });
      const log = git(report.repository, "log", "--reverse", `--format=${FORMAT}`).split("\n");
      expect(log.map((line) => line.trimEnd())).toEqual([
        `dom0 ${seconds("2020-09-18T15:15:18Z")} dom0: MKDIR /tool/xenstored | import of old.log`,
        `dom0 ${seconds("2020-09-18T15:15:18Z")} dom0: 5 changes under /local | A41354 7`,
        `dom0 ${seconds("2020-09-18T15:15:19Z")} dom0: INTRODUCE 5 | import`,
        `dom5 ${seconds("2020-09-18T15:15:19Z")} dom5: WRITE /local/domain/5/data/state | D5`,
        `dom5 ${seconds("2020-09-18T15:15:20Z")} dom5: WRITE /local/domain/5/foreign | D5`,
        `dom0 ${seconds("2020-09-18T15:15:22Z")} dom0: MKDIR /missing/node | import`,
        `dom0 ${seconds("2020-09-18T15:15:22Z")} dom0: RM /missing/node | A41355`,
        `dom0 ${seconds("2020-09-18T15:15:23Z")} dom0: WRITE /local/domain/5/name | A41355`,
      ]);
      expect(git(report.repository, "show", "main:local/domain/5/foreign")).toMatch(/^v+\.\.$/);
      expect(git(report.repository, "log", "--format=%s", "--", "local/domain/5/data")).toContain("dom5: WRITE");
      const daemon = await startDaemon({ directory });
      const client = await daemon.connect();
      expect(await client.must("READ", ["/local/domain/5/name"])).toBe("renamed");
      expect(await client.must("GET_PERMS", ["/local/domain/5/data/state"])).toBe("n5\0r0");
      await client.must("WRITE", ["/new", "v"]);
      await daemon.stop();
      expect(git(report.repository, "log", "-1", "--format=%s")).toBe("dom0: WRITE /new");
    });
  }, 60_000);

  it("makes of a C trace a history: guests by their connections, their nodes gone with them", async () => {
    await withTemporaryDirectory(async (directory) => {
      const report = await imported(directory, C);
      expect(report).toMatchObject({
        format: "c",
        requests: 5,
        transactions: 1,
        skipped: [],
        refused: [],
        standIns: 0,
      });
      const log = git(report.repository, "log", "--reverse", `--format=${FORMAT}`).split("\n");
      expect(log.slice(1).map((line) => line.trimEnd())).toEqual([
        `dom0 ${seconds("2023-01-20T17:40:53Z")} dom0: INTRODUCE 3 | 0xa1`,
        expect.stringMatching(/^dom0 \d+ dom0: \d changes under \/local\S* \| 0xa1 9$/),
        `dom3 ${seconds("2023-01-20T17:40:56Z")} dom3: WRITE /local/domain/3/device/state | 0xb2`,
        expect.stringMatching(/^dom0 \d+ dom0: .* \| 0xa1$/),
      ]);
      expect(git(report.repository, "show", "main~1:local/domain/3/device/state")).toBe("two\nlines");
      expect(() => git(report.repository, "show", "main:local/domain/3/device/state")).toThrow();
    });
  }, 60_000);

  it("makes a node from before the log begins when a request for it succeeded, and none that the log removed", async () => {
    await withTemporaryDirectory(async (directory) => {
      const line = (who: string, what: string): string => `[20200918T15:15:18.046Z]  ${who.padEnd(12)} ${what}\n`;
      const report = await imported(
        directory,
        [
          line("A1", "read      /anything"),
          line("A1", "setperms  /vm/1 n0 r5 "),
          line("A1", "rm        /local/domain/5/data "),
          line("A1", "rm        /vm/2 "),
          line("A1", "setperms  /not/there n0 "),
          line("A1", "error     EACCES"),
          line("A1.3", "setperms  /libxl/5 n0 "),
          line("A1.3", "rm        /tool/x/y "),
          line("A1.3", "commit"),
          line("A1", "rm        /libxl "),
          line("A1", "setperms  /libxl/5 n0 "),
          line("D5", "setperms  data n5 r0 "),
        ].join(""),
      );
      expect(report).toMatchObject({
        // /vm/1, /local/domain/5/data, /libxl/5 and /tool/x/y, with their parents
        earlierNodes: 2 + 4 + 2 + 2,
        emptyRemovals: [{ line: 4, reason: "RM /vm/2" }],
        refused: [
          { line: 11, reason: "SET_PERMS /libxl/5: ENOENT" },
          { line: 12, reason: "SET_PERMS data: ENOENT" },
        ],
        notes: [expect.any(String)],
      });
      const log = git(report.repository, "log", "--reverse", `--format=${FORMAT}`).split("\n");
      expect(log.slice(1).map((each) => each.slice(each.indexOf(" dom0: ") + 1).trimEnd())).toEqual([
        "dom0: MKDIR /vm/1 | import",
        "dom0: SET_PERMS /vm/1 | A1",
        "dom0: MKDIR /local/domain/5/data | import",
        "dom0: RM /local/domain/5/data | A1",
        "dom0: 4 changes under / | import 1",
        "dom0: 1 change under /tool/x/y | A1 3",
        "dom0: RM /libxl | A1",
        "dom0: INTRODUCE 5 | import",
      ]);
      expect(git(report.repository, "show", "main:vm/.perms")).toContain("1 n0 r5");
      expect(git(report.repository, "ls-tree", "-r", "--name-only", "main")).not.toContain("not/there");
    });
  }, 60_000);

  it("makes of a C trace that begins with a RELEASE a history that shows what the domain's end removed", async () => {
    await withTemporaryDirectory(async (directory) => {
      const report = await imported(
        directory,
        `IN 0xa1 20230120 17:40:53 RELEASE (3 )
DESTROY connection 0xb2
orphaned node /local/domain/3/data deleted
orphaned node /local/domain/3/device/vif/0 deleted
OUT 0xa1 20230120 17:40:53 RELEASE (OK )
OUT 0xc3 20230120 17:40:54 WRITE (OK )
orphaned node /local/domain/4/data deleted
`,
      );
      expect(report).toMatchObject({
        impliedDomains: 1,
        // /local/domain/3/data and device/vif/0, and /local/domain/4/data
        earlierNodes: 4 + 3 + 2,
        refused: [],
        skipped: [{ line: 6, reason: "the reply to a WRITE that is not in the trace" }],
      });
      const log = git(report.repository, "log", "--reverse", `--format=%s | %(trailers:key=Connection,valueonly)`);
      expect(
        log
          .split("\n")
          .filter((line) => line !== "")
          .slice(1),
      ).toEqual([
        "dom0: INTRODUCE 3 | import",
        "dom0: 7 changes under /local | import",
        "dom0: RELEASE 3 | 0xa1",
        "dom0: MKDIR /local/domain/4/data | import",
        "dom0: RM /local/domain/4/data | xenstored",
      ]);
      expect(git(report.repository, "show", "main~3:local/domain/3/.perms")).toContain("data n3");
      const gone = git(report.repository, "show", "--no-renames", "--name-status", "--format=", "main~2").split("\n");
      expect(gone).toContain("D\tlocal/domain/3/data");
      expect(gone).toContain("D\tlocal/domain/3/device/vif/0");
    });
  }, 60_000);

  it("lets dom0 stand in for a guest whose quota was larger then", async () => {
    await withTemporaryDirectory(async (directory) => {
      const write = (value: string): string =>
        `IN 0xb2 (d5) 20230120 17:40:53 WRITE (/local/domain/5/data ${value})\nOUT 0xb2 (d5) 20230120 17:40:53 WRITE (OK )\n`;
      const perms = "IN 0xa1 20230120 17:40:53 SET_PERMS (/local/domain/5/data n5 )\n";
      const report = await imported(directory, `${perms}${write("v".repeat(3000))}`);
      expect(report).toMatchObject({ standIns: 1, refused: [] });
      expect(git(report.repository, "log", "-1", "--format=%an %s")).toBe("dom5 dom5: WRITE /local/domain/5/data");
    });
  }, 60_000);

  it("goes on with a guest's requests when they are logged behind its release", async () => {
    await withTemporaryDirectory(async (directory) => {
      const log = [
        "[20200918T15:15:18.000Z]  D5           write     /local/domain/5/data 1",
        "[20200918T15:15:19.000Z]  A1           release   5",
        "[20200918T15:15:20.000Z]  D5           write     /local/domain/5/data 2",
      ];
      const report = await imported(directory, `${log.join("\n")}\n`);
      expect(report.refused).toEqual([]);
      expect(git(report.repository, "show", "main:local/domain/5/data")).toBe("2");
    });
  }, 60_000);

  it("refuses a log of which nothing changes the store, and leaves nothing behind", async () => {
    await withTemporaryDirectory(async (directory) => {
      const removal = "[20200918T15:15:18.046Z]  A1           rm        /vm \n";
      await expect(imported(directory, removal)).rejects.toThrow(
        /^nothing that .*old\.log, an access log of oxenstored, tells of changes the store, such as line 1: RM \/vm: there is nothing to import$/,
      );
      expect(readdirSync(directory)).toEqual(["old.log"]);
    });
  }, 60_000);

  it("makes a history in which git bisect run finds the change that broke a device", async () => {
    await withTemporaryDirectory(async (directory) => {
      const backend = "/local/domain/0/backend/vbd/7/51712";
      const write = (at: number, connection: string, path: string, value: string): string =>
        `[20200918T15:16:${String(at).padStart(2, "0")}.000Z]  ${connection.padEnd(12)} write     ${path} ${value}`;
      const lines = [write(0, "A1", `${backend}/hotplug-status`, "connected")];
      for (let at = 1; at < 40; at++) lines.push(write(at, "A2", `/local/domain/7/data/ticks`, String(at)));
      lines[23] = write(23, "A3", `${backend}/hotplug-status`, "error");
      const { repository, commits } = await imported(directory, `${lines.join("\n")}\n`);
      expect(commits).toBeGreaterThanOrEqual(40);

      git(repository, "bisect", "start", "--no-checkout", "main", "main~39");
      const isGood = `git show BISECT_HEAD:${backend.slice(1)}/hotplug-status | grep -qx connected`;
      const output = git(repository, "bisect", "run", "sh", "-c", isGood);
      const first = /^([0-9a-f]{40}) is the first bad commit$/m.exec(output)?.[1] ?? "";
      git(repository, "bisect", "reset");
      expect(git(repository, "show", "--no-patch", `--format=${FORMAT}`, first).trimEnd()).toBe(
        `dom0 ${seconds("2020-09-18T15:16:23Z")} dom0: WRITE ${backend}/hotplug-status | A3`,
      );
    });
  }, 60_000);

  it("leaves no state when it is killed, and begins anew in the same directory", async () => {
    await withTemporaryDirectory(async (directory) => {
      const log = join(directory, "long.log");
      const line = "[20200918T15:15:18.046Z]  A1           write     /local/domain/5/data ";
      writeFileSync(log, Array.from({ length: 50_000 }, (_, index) => `${line}${String(index)}\n`).join(""));
      const flags = ["--import", "tsx", join(project, "simulator/main.ts"), "import", log, "--into", directory];
      const child = spawn(process.execPath, flags, { cwd: project, stdio: ["ignore", "ignore", "pipe"] });
      // It tells of its progress.
      await once(child.stderr, "data");
      child.kill("SIGKILL");
      await once(child, "close");
      expect(readdirSync(directory).sort()).toEqual(["long.log", "state.incomplete"]);
      const { repository, commits } = await imported(directory, C);
      expect(readdirSync(directory).sort()).toEqual(["long.log", "old.log", "state"]);
      expect(git(repository, "rev-list", "--count", "main")).toBe(String(commits));
      expect(git(repository, "ls-tree", "-r", "--name-only", "main")).not.toContain("local/domain/5");
    });
  }, 60_000);

  it("refuses what it cannot read with 2, leaves nothing behind and touches no state that is there", async () => {
    await withTemporaryDirectory(async (directory) => {
      const run = (...parameters: readonly string[]) =>
        spawnSync(process.execPath, ["--import", "tsx", join(project, "simulator/main.ts"), "import", ...parameters], {
          cwd: project,
          encoding: "utf8",
        });
      const [readme, into] = [join(project, "README.md"), join(directory, "new")];
      expect(run(readme, "--into", into)).toMatchObject({
        status: 2,
        stdout: "",
        stderr: expect.stringContaining(
          "is neither an access log of oxenstored nor a trace of C xenstored: no line of it can be read",
        ) as string,
      });
      expect(existsSync(into)).toBe(false);
      const log = join(directory, "log");
      writeFileSync(log, C);
      mkdirSync(join(directory, "state"));
      writeFileSync(join(directory, "state", "mine"), "");
      expect(run(log, "--into", directory)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining("holds something already: name a directory for the new history") as string,
      });
      expect(run(log)).toMatchObject({ status: 2, stderr: expect.stringContaining("--into <dir>") as string });
    });
  }, 60_000);
});

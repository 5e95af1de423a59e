import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { recordSteps } from "../../../support/stepped-history.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";
import { git } from "../../daemon/history/repository/repository-support.js";
import { jsonOf, programHarness, type RunResult } from "./program-harness.js";

/** Forty commits; the node is bad from the 23rd on. */
const repository = recordSteps(
  Array.from({ length: 40 }, (_, index) => ({
    "/count": String(index + 1),
    "/local/domain/7/state": index + 1 >= 23 ? "6" : "4",
    "/flap": index % 7 === 0 ? "1" : undefined,
  })),
);
const files = { [repository]: "" };

/** Asks the store of `$XENSTORED_PATH` for a value, or writes one; prints the reply's payload. */
const CLIENT = `
const { connect } = require("node:net");
const [operation, ...words] = process.argv.slice(2);
const payload = Buffer.from(operation === "2" ? words[0] + "\\0" : words.join("\\0"));
const header = Buffer.alloc(16);
header.writeUInt32LE(Number(operation), 0);
header.writeUInt32LE(payload.length, 12);
const socket = connect(process.env.XENSTORED_PATH, () => socket.write(Buffer.concat([header, payload])));
let received = Buffer.alloc(0);
socket.on("data", (chunk) => {
  received = Buffer.concat([received, chunk]);
  if (received.length < 16 || received.length < 16 + received.readUInt32LE(12)) return;
  console.log(received.subarray(16).toString("latin1").replace(/\\0/g, ""));
  socket.destroy();
});
`;
let directory: string;
let client: string;
beforeAll(() => {
  directory = temporaryDirectory();
  client = join(directory, "client.cjs");
  writeFileSync(client, CLIENT);
});

async function bisect(...words: string[]): Promise<RunResult> {
  const environment = { PATH: process.env["PATH"] };
  return (await programHarness()).run(["bisect", "--repo", repository, ...words], { files, environment });
}

/** A command that finds the state of the node bad. */
function reads(then: string): string {
  return `state=$(${process.execPath} ${client} 2 /local/domain/7/state); ${then}`;
}

describe("xs bisect PREDICATE", () => {
  test("shows the first bad commit, the steps and the flips", async () => {
    const { code, out, err } = await bisect("--domain", "7", "value /local/domain/$D/state = 6", "--good", "@{1}");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^@\{23\} is the first bad commit, found in [0-9] steps between @\{1\} \(good\) and @\{40\} \(bad\)\n/,
    );
    expect(out).toContain(`\ncommit      ${git(repository, ["rev-parse", "main~17"])}\nseq         @{23}\n`);
    expect(out).toContain('~ /local/domain/7/state\n    - "4"\n    + "6"\n');
  });

  test("takes the newest bad commit where HEAD is good again", async () => {
    const { code, out, err } = await bisect("value /count = 30", "--good", "@{20}");
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(
      /^@\{30\} is the first bad commit, .* and @\{30\} \(bad\)\nit is over at HEAD, @\{40\}: @\{30\} is the newest bad commit\n/,
    );
  });

  test("is JSON on request", async () => {
    const { code, out, err } = await bisect("--json", "value /local/domain/7/state = 6", "--flips", "1000");
    expect([code, err]).toEqual([0, ""]);
    expect(jsonOf(out)).toMatchObject({
      predicate: "value /local/domain/7/state = 6",
      good: { seq: 1 },
      bad: { seq: 40 },
      first: { seq: 23, changes: expect.arrayContaining([]) as unknown },
      flips: { count: 1, looked: 39, commits: 39 },
    });
  });

  test("warns on standard error where the predicate is not monotone", async () => {
    const { code, err } = await bisect("not exists /flap", "--flips", "1000");
    expect(code).toBe(0);
    expect(err).toMatch(/^xs: warning: the predicate is not monotone: it flips 11 times, /);
  });

  test.each([
    [[], /say what is bad: either a predicate, such as '.*', or --run with a command/],
    [["exists /a", "--run", "true"], /say what is bad: either/],
    [["--run", "true", "--domain", "7"], /cannot be used with option '--domain/],
    [["exists /a", "--domain", "x"], /It is a domain's number/],
    [["exists /a", "--flips", "x"], /It is a number/],
    [["hotplug-script-fail", "--domain", "7"], /did you mean hotplug-script-fails\?/],
    [["exists /count", "--good", "mian"], /did you mean main\?/],
    [["exists /cuont"], /it holds at neither, nor between them\nthere is no \/cuont at either: did you mean \/count\?/],
    [["exists /count"], /it holds at both, and between them$/m],
  ])("%j is a bad command line (code 2), and what would be right is said", async (words, message) => {
    const { code, out, err } = await bisect(...words);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(message);
  });
});

describe("xs bisect --run", () => {
  test("asks a command, which finds the commit's state on $XENSTORED_PATH", async () => {
    const log = join(directory, "socket");
    const { code, out, err } = await bisect(
      "--run",
      reads(`echo $XENSTORED_PATH > ${log}; echo printed; test "$state" != 6`),
      "--bad",
      "main",
    );
    expect(code).toBe(0);
    expect(out).toMatch(
      /^@\{23\} is the first bad commit, found in [56] steps .*\nflips were not looked for: .*\n\ncommit /,
    );
    expect(out).not.toContain("printed");
    expect(err).toMatch(
      /^is good, @\{1\}, good\?\n {2}good \(0\)\nis bad, main \(@\{40\}\), bad\?\n {2}bad \(1\)\nstep 1 of about 6: @\{20\}\n/,
    );
    expect(existsSync(dirname(readFileSync(log, "utf8").trim()))).toBe(false);
  });

  test("leaves no socket open behind it", async () => {
    const pipes = (): number => process.getActiveResourcesInfo().filter((name) => name.includes("Pipe")).length;
    const before = pipes();
    const { code } = await bisect("--run", reads('test "$state" != 6'), "--good", "@{22}", "--bad", "@{23}");
    expect(code).toBe(0);
    // Those of the commands that were run end a moment after the commands.
    await vi.waitFor(() => {
      expect(pipes()).toBeLessThanOrEqual(before);
    });
  });

  test("refuses what the command writes", async () => {
    const log = join(directory, "refusal");
    const { code } = await bisect(
      "--run",
      reads(`${process.execPath} ${client} 11 /count 99 > ${log}; test "$state" != 6`),
    );
    expect([code, readFileSync(log, "utf8")]).toEqual([0, "EROFS\n"]);
  });

  test("is JSON on request, and nothing else is on standard output", async () => {
    const { code, out } = await bisect("--json", "--run", reads('echo printed; test "$state" != 6'));
    expect(code).toBe(0);
    expect(jsonOf(out)).toMatchObject({ good: { seq: 1 }, bad: { seq: 40 }, first: { seq: 23 } });
  });

  test("passes over commits of which the command cannot tell (125)", async () => {
    const count = `count=$(${process.execPath} ${client} 2 /count)`;
    const { code, out } = await bisect("--run", reads(`${count}; [ $count = 20 ] && exit 125; test "$state" != 6`));
    expect([code, out.slice(0, 36)]).toEqual([0, "@{23} is the first bad commit, found"]);
  });

  test("lists the candidates, and ends with 1, where it cannot tell of those in question", async () => {
    const count = `count=$(${process.execPath} ${client} 2 /count)`;
    const command = reads(`${count}; [ $count -ge 21 ] && [ $count -le 23 ] && exit 125; test "$state" != 6`);
    const { code, out } = await bisect("--run", command, "--good", "@{18}", "--bad", "@{26}");
    expect(code).toBe(1);
    expect(out).toMatch(
      /^the first bad commit is one of these 4 commits; at all but the last the command could not tell/,
    );
    expect([...out.matchAll(/^@\{([0-9]+)\} /gm)].map(([, seq]) => Number(seq))).toEqual([21, 22, 23, 24]);
    const json = await bisect("--json", "--run", command, "--good", "@{18}", "--bad", "@{26}");
    expect(jsonOf(json.out)).toMatchObject({ candidates: [{ seq: 21 }, { seq: 22 }, { seq: 23 }, { seq: 24 }] });
  });

  test("stops with an error where the command cannot be run (126 and more)", async () => {
    const { code, out, err } = await bisect("--run", "no-such-program-anywhere 2> /dev/null");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(
      /xs: the command ended with 127 at @\{1\} \(it was not found\), which judges nothing: 0 is good, 1 to 124 bad, 125 cannot tell\n$/,
    );
  });

  test.each([
    ["true", "it ended with 0 at good and with 0 at bad"],
    ["false", "it ended with 1 at good and with 1 at bad"],
    ["exit 125", "it ended with 125 at good and with 125 at bad"],
  ])("says what %s is at the ends where they are not what they are said to be (code 2)", async (command, message) => {
    const { code, err } = await bisect("--run", command);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  test("ends the command and the mount with Ctrl-C (code 130)", async () => {
    const harness = await programHarness();
    const begun = join(directory, "begun");
    execFileSync("mkfifo", [begun]);
    const environment = { PATH: process.env["PATH"] };
    const words = ["bisect", "--repo", repository, "--run", `echo $XENSTORED_PATH > ${begun}; sleep 1000`];
    const running = harness.start(words, { files, environment });
    let socket = "";
    for await (const chunk of createReadStream(begun, "utf8")) socket += chunk as string;
    expect(existsSync(socket.trim())).toBe(true);
    running.interrupt();
    expect(await running.result).toMatchObject({ code: 130, out: "" });
    expect(existsSync(dirname(socket.trim()))).toBe(false);
  });
});

/**
 * The daemon as a process: what it says, what it refuses, and what is left when it ends, gently or not.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, renameSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { serializeMessage } from "../../protocol/message.js";
import { operationNamed } from "../../protocol/operation.js";
import { MessageParser } from "../../protocol/parser.js";
import { connect, type Load } from "../bench/load.js";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { seed } from "../support/seed.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");
const command = ["--import", "tsx", join(project, "daemon/main.ts")];

function runDaemon(flags: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  return spawnSync(process.execPath, [...command, ...flags], {
    cwd: project,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    timeout: 20_000,
  });
}

function git(daemon: DaemonProcess, ...words: string[]): string {
  return execFileSync("git", ["-C", daemon.repository, ...words], { encoding: "utf8", stdio: "pipe" });
}

/** Writes `/k/<n>` = n pipelined until `enough` are acknowledged and `then` has ended the daemon; returns how many were. */
async function writeUntil(daemon: DaemonProcess, enough: number, then: () => void): Promise<number> {
  const socket = await connect(daemon.socket);
  const parser = new MessageParser();
  const { number: type } = operationNamed("WRITE");
  const payload: Load["payload"] = (index) => `/k/${String(index % 50)}/${String(index)}\0${String(index)}`;
  let sent = 0;
  let acknowledged = 0;
  const send = (): void => {
    for (; sent < acknowledged + 64; sent++) {
      socket.write(serializeMessage({ type, requestId: sent, txId: 0, payload: payload(sent) }), "latin1");
    }
  };
  return new Promise((resolveCount) => {
    socket.on("error", () => undefined);
    socket.once("close", () => {
      resolveCount(acknowledged);
    });
    socket.on("data", (chunk: string) => {
      const before = acknowledged;
      parser.push(chunk);
      for (let message = parser.next(); message !== undefined; message = parser.next()) {
        expect([message.requestId, message.payload]).toEqual([acknowledged, "OK\0"]);
        acknowledged++;
      }
      if (before < enough && acknowledged >= enough) then();
      send();
    });
    send();
  });
}

/** Without a command `flock` the daemon is less certain, and says so. */
function refusal(directory: string, pid: number): RegExp {
  return new RegExp(`${directory} (is|seems to be) in use by process ${String(pid)}: stop that daemon first`);
}

describe("the daemon's command line", () => {
  it("prints help and version, and refuses a bad flag with code 2 and what would be right", () => {
    expect(runDaemon(["--help"])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("--durability") as string,
    });
    expect(runDaemon(["--version"]).stdout).toMatch(/^[0-9]+\.[0-9]+\.[0-9]+\n$/);
    const bad = runDaemon(["--durability", "eternal"]);
    expect(bad.status).toBe(2);
    expect(bad.stderr).toContain("Allowed choices are process, power, none");
    expect(runDaemon(["--seal-ms", "0"])).toMatchObject({ status: 2 });
    for (const size of ["1", "63K", "1T", "-1M", "lots", ""]) {
      const refused = runDaemon(["--journal-max", size]);
      expect([refused.status, refused.stderr], size).toEqual([2, expect.stringContaining("at least 64K")]);
    }
  });

  it("refuses a directory whose sockets no address can name", () => {
    const long = runDaemon(["--dir", `/tmp/${"a".repeat(100)}`]);
    expect(long.status).toBe(1);
    expect(long.stderr).toMatch(/has [0-9]+ bytes; a Unix socket address holds 107/);
  });

  it("takes its sockets' directory from XENSTORED_RUNDIR unless --run names one", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory, flags: ["--run", join(directory, "elsewhere")] });
      try {
        expect(statSync(join(directory, "elsewhere", "socket")).isSocket()).toBe(true);
        const second = runDaemon(["--dir", join(directory, "other")], {
          XENSTORED_RUNDIR: join(directory, "elsewhere"),
        });
        expect(second.status).toBe(1);
        expect(second.stderr).toMatch(refusal(join(directory, "elsewhere"), daemon.pid));
      } finally {
        await daemon.stop();
      }
    });
  });
});

describe("a second daemon", () => {
  it("refuses to start on the same directory, naming the first; after kill -9 of that one it may", async () => {
    await withTemporaryDirectory(async (directory) => {
      const first = await startDaemon({ directory });
      const second = runDaemon(["--dir", directory]);
      expect(second.status).toBe(1);
      expect(second.stderr).toMatch(refusal(join(directory, "state"), first.pid));
      const client = await first.connect();
      await client.must("WRITE", ["/a", "1"]);
      await first.kill("SIGKILL");
      expect(statSync(first.socket).isSocket(), "the socket was left behind").toBe(true);
      const third = await startDaemon({ directory });
      expect(await (await third.connect()).must("READ", ["/a"])).toBe("1");
      await third.stop();
    });
  });
});

describe("the daemon's files", () => {
  it("are for its user alone", async () => {
    const daemon = await startDaemon();
    const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
    try {
      await (await daemon.connect()).must("INTRODUCE", ["5", "1", "1"]);
      for (const directory of ["state", "run", "run/domains"])
        expect(mode(join(daemon.directory, directory))).toBe("700");
      for (const socket of ["run/socket", "run/domains/5"]) expect(mode(join(daemon.directory, socket))).toBe("600");
    } finally {
      await daemon.stop();
    }
  });
});

describe("the end of the daemon", () => {
  it("by kill -9 under load loses nothing that was acknowledged", async () => {
    const random = seed();
    await withTemporaryDirectory(async (directory) => {
      for (let round = 0; round < 4; round++) {
        const daemon = await startDaemon({ directory });
        const enough = 200 + (Math.abs(random + round * 7919) % 3000);
        const acknowledged = await writeUntil(daemon, enough, () => {
          void daemon.kill("SIGKILL");
        });
        expect(acknowledged).toBeGreaterThanOrEqual(enough);
        const again = await startDaemon({ directory });
        const client = await again.connect();
        const requests = Array.from({ length: acknowledged }, (_, index) =>
          client.send("READ", `/k/${String(index % 50)}/${String(index)}\0`),
        );
        for (const [index, requestId] of requests.entries()) {
          expect((await client.reply(requestId)).payload, `acknowledged write ${String(index)}`).toBe(String(index));
        }
        expect(await client.must("CONTROL", ["check"])).toBe("OK");
        await client.must("RM", ["/k"]);
        await again.stop();
      }
    });
  }, 120_000);

  it("by SIGTERM under load is code 0, and every acknowledged commit is in Git", async () => {
    await withTemporaryDirectory(async (directory) => {
      const daemon = await startDaemon({ directory });
      let ended: Promise<{ readonly code: number | null }> | undefined;
      const acknowledged = await writeUntil(daemon, 3000, () => {
        ended = daemon.kill("SIGTERM");
      });
      expect((await ended)?.code).toBe(0);
      const tip = git(daemon, "log", "-1", "--format=%(trailers:key=Seq,valueonly)", "main").trim();
      expect(git(daemon, "rev-list", "--count", "main").trim()).toBe(tip);
      expect(Number(tip)).toBeGreaterThanOrEqual(acknowledged + 1);
      expect(git(daemon, "fsck", "--strict")).toBe("");
      const last = acknowledged - 1;
      expect(git(daemon, "show", `main:k/${String(last % 50)}/${String(last)}`)).toBe(String(last));
    });
  }, 60_000);
});

describe("the history", () => {
  it("has a change within a second or so, without being asked", async () => {
    const daemon = await startDaemon();
    try {
      await (await daemon.connect()).must("WRITE", ["/hello", "world"]);
      await expect
        .poll(() => git(daemon, "log", "--oneline", "--all"), { timeout: 5000, interval: 50 })
        .toContain("dom0: WRITE /hello");
    } finally {
      await daemon.stop();
    }
  });
});

describe("SIGHUP", () => {
  it("reopens the log that was renamed, and disturbs nobody", async () => {
    await withTemporaryDirectory(async (directory) => {
      const log = join(directory, "log");
      const daemon = await startDaemon({ directory, flags: ["--log-file", log] });
      try {
        const client = await daemon.connect();
        renameSync(log, `${log}.1`);
        process.kill(daemon.pid, "SIGHUP");
        await expect.poll(() => statSync(log, { throwIfNoEntry: false })?.isFile(), { timeout: 5000 }).toBe(true);
        await client.must("CONTROL", ["print", "after the rotation"]);
        expect(readFileSync(log, "utf8")).toContain("after the rotation");
        expect(readFileSync(`${log}.1`, "utf8")).not.toContain("after the rotation");
      } finally {
        await daemon.stop();
      }
    });
  });
});

describe("the wire socket", () => {
  it("serves 4,000 connections at once", async () => {
    const daemon = await startDaemon();
    const sockets = [];
    try {
      for (let index = 0; index < 4000; index++) sockets.push(await connect(daemon.socket));
      const message = serializeMessage({ type: operationNamed("READ").number, requestId: 7, txId: 0, payload: "/\0" });
      const answers = sockets.map(
        (socket) => new Promise<string>((resolveAnswer) => socket.once("data", (data: string) => resolveAnswer(data))),
      );
      for (const socket of sockets) socket.write(message, "latin1");
      const answered = await Promise.all(answers);
      expect(answered.every((answer) => answer.length === 16 && answer.charCodeAt(4) === 7)).toBe(true);
    } finally {
      for (const socket of sockets) socket.destroy();
      await daemon.stop();
    }
  }, 60_000);
});

/**
 * `--redact`, with the real daemon: a secret that clients use is nowhere under the state directory, however it was written and
 * however the daemon ended.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { startDaemon, type DaemonProcess } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

const project = resolve(import.meta.dirname, "..", "..");
const flags = ["--redact", "/local/domain/*/vncpasswd", "--redact", "/vm/*/device/**/vncpasswd"];

const secrets = {
  "/local/domain/0/vncpasswd": "dom0-Hq7RkzP",
  "/vm/uuid/device/vfb/0/vncpasswd": `long-${"Zw4sXt".repeat(40)}-end`,
  "/vm/uuid/device/vncpasswd": "in-a-transaction-K2vB",
  "/local/domain/5/vncpasswd": "guest-Yb3NmL-\xff\x01",
};

const open = {
  "/local/domain/5/name": "vm5",
  "/vm/uuid/vncpasswd": "not-matched-Pp9",
  "/local/domain/5/data/vncpasswd": "not-matched-either",
};

function git({ repository }: DaemonProcess, ...words: readonly string[]): string {
  return execFileSync("git", ["-C", repository, ...words], { encoding: "latin1", maxBuffer: 1 << 28 });
}

/** The daemon flushed its history; nothing is wrong with it. */
async function expectSound(daemon: DaemonProcess): Promise<void> {
  const client = await daemon.connect();
  await client.must("CONTROL", ["flush"]);
  expect(await client.must("CONTROL", ["check"])).toBe("OK");
  expect(git(daemon, "fsck", "--full", "--strict")).toBe("");
}

const READINGS_MAX = 20;

/** Everything under the state directory: each file's bytes, and each object's. */
function everythingIn(daemon: DaemonProcess): readonly (readonly [what: string, bytes: string])[] {
  const state = join(daemon.directory, "state");
  for (let reading = 1; ; reading++) {
    try {
      return [
        ...filesBelow(state),
        ["the objects of the repository", git(daemon, "cat-file", "--batch-all-objects", "--batch")],
      ];
    } catch (error) {
      // The daemon replaces and removes files meanwhile: then all are read again.
      const hasGone = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!hasGone || reading === READINGS_MAX) throw error;
    }
  }
}

function filesBelow(directory: string): (readonly [name: string, bytes: string])[] {
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  const files = names.filter((name) => statSync(join(directory, name)).isFile());
  return files.map((name) => [name, readFileSync(join(directory, name), "latin1")]);
}

/** No part of a secret that is long enough to be told from chance is anywhere. */
function expectNoSecret(daemon: DaemonProcess): void {
  const everything = everythingIn(daemon);
  for (const secret of Object.values(secrets)) {
    for (const part of [secret.slice(0, 10), secret.slice(-10), secret.slice(40, 52)]) {
      if (part.length < 10) continue;
      const spellings = [
        part,
        Buffer.from(part, "latin1").toString("hex"),
        Buffer.from(part, "latin1").toString("base64"),
      ];
      for (const [what, bytes] of everything) {
        for (const spelling of spellings) {
          expect(bytes.includes(spelling), `${JSON.stringify(part)} in ${what}`).toBe(false);
        }
      }
    }
  }
  expect(
    everything.some(([, bytes]) => bytes.includes(open["/vm/uuid/vncpasswd"])),
    "the search finds what is there",
  ).toBe(true);
  expect(daemon.stderr()).not.toMatch(/Hq7RkzP|Zw4sXt|K2vB|Yb3NmL/);
}

async function writeSecrets(daemon: DaemonProcess): Promise<void> {
  const dom0 = await daemon.connect();
  if ((await dom0.ask("IS_DOMAIN_INTRODUCED", ["5"])) !== "T") await dom0.must("INTRODUCE", ["5", "1", "1"]);
  await dom0.must("WRITE", ["/local/domain/5", ""]);
  await dom0.must("SET_PERMS", ["/local/domain/5", "n5"]);
  await dom0.must("WATCH", ["/vm", "token"]);
  await dom0.must("WRITE", ["/local/domain/0/vncpasswd", "dom0-Hq7RkzP-before"]);
  await dom0.must("WRITE", ["/local/domain/0/vncpasswd", secrets["/local/domain/0/vncpasswd"]]);
  await dom0.must("WRITE", ["/vm/uuid/device/vfb/0/vncpasswd", secrets["/vm/uuid/device/vfb/0/vncpasswd"]]);
  const txId = Number(await dom0.must("TRANSACTION_START", [""]));
  await dom0.must("WRITE", ["/vm/uuid/device/vncpasswd", "in-a-transaction-K2vB-first"], { txId });
  await dom0.must("WRITE", ["/vm/uuid/device/vncpasswd", secrets["/vm/uuid/device/vncpasswd"]], { txId });
  await dom0.must("WRITE", ["/vm/uuid/vncpasswd", open["/vm/uuid/vncpasswd"]], { txId });
  await dom0.must("TRANSACTION_END", ["T"], { txId });
  const guest = await daemon.connectGuest(5);
  // Relative, as guests write.
  await guest.must("WRITE", ["vncpasswd", secrets["/local/domain/5/vncpasswd"]]);
  await guest.must("WRITE", ["name", open["/local/domain/5/name"]]);
  await guest.must("WRITE", ["data/vncpasswd", open["/local/domain/5/data/vncpasswd"]]);
  for (const [path, value] of [...Object.entries(secrets), ...Object.entries(open)]) {
    expect(await dom0.must("READ", [path]), "clients see the value").toBe(value);
  }
}

async function expectEmptied(daemon: DaemonProcess): Promise<void> {
  const client = await daemon.connect();
  for (const path of Object.keys(secrets)) expect([path, await client.must("READ", [path])]).toEqual([path, ""]);
  for (const [path, value] of Object.entries(open))
    expect([path, await client.must("READ", [path])]).toEqual([path, value]);
}

describe("--redact", () => {
  it.each(["SIGTERM", "SIGKILL"] as const)(
    "leaves no byte of a secret under the state directory, before and after %s, and the node is empty then",
    async (signal) => {
      await withTemporaryDirectory(async (directory) => {
        // Nothing is sealed by itself, so that after SIGKILL the journal alone has it.
        const daemon = await startDaemon({
          directory,
          flags: [...flags, "--seal-ms", "60000", "--log-level", "debug"],
        });
        await (await daemon.connect()).must("CONTROL", ["log", "on"]);
        await writeSecrets(daemon);
        expectNoSecret(daemon);
        await daemon.kill(signal);
        expectNoSecret(daemon);
        const again = await startDaemon({ directory, flags });
        await expectEmptied(again);
        await expectSound(again);
        expectNoSecret(again);
        // The second time the root is loaded from Git, and without the flag the key still tells what is a marker.
        await again.kill(signal);
        const third = await startDaemon({ directory });
        await expectEmptied(third);
        expectNoSecret(third);
        expect(git(third, "show", "main:vm/uuid/device/vncpasswd")).toMatch(
          /^redacted:hmac-sha256:[0-9a-f]{64}:[0-9a-f]{32}$/,
        );
        expect(git(third, "log", "--format=%b", "main")).toContain('WRITE /local/domain/5/vncpasswd "redacted"\n');
        expect(statSync(join(directory, "state", "redaction.key")).mode & 0o777).toBe(0o600);
        await third.stop();
      });
    },
    60_000,
  );

  it("goes on soundly from nodes that were emptied at start, whatever is done to them", async () => {
    const secret = "dom0-Hq7RkzP";
    type Request = readonly [operation: "WRITE" | "RM" | "MKDIR" | "SET_PERMS", ...strings: string[]];
    const steps: readonly ((path: string) => readonly Request[])[] = [
      (path) => [["WRITE", path, ""]],
      (path) => [["SET_PERMS", path, "n0", "r5"]],
      (path) => [["WRITE", path, secret]],
      (path) => [["WRITE", `${path}/child`, "x"]],
      (path) => [
        ["WRITE", `${path}/child`, "x"],
        ["SET_PERMS", path, "n0", "r6"],
        ["RM", `${path}/child`],
      ],
      (path) => [
        ["WRITE", `${path}/child`, "x"],
        ["WRITE", path, secret],
      ],
      (path) => [["RM", path]],
      (path) => [
        ["RM", path],
        ["MKDIR", path],
      ],
      (path) => [["RM", path.slice(0, path.lastIndexOf("/"))]],
    ];
    const paths = steps.map((_, index) => `/local/domain/${String(100 + index)}/vncpasswd`);
    await withTemporaryDirectory(async (directory) => {
      const start = () => startDaemon({ directory, flags: [...flags, "--seal-ms", "60000"] });
      let daemon = await start();
      const first = await daemon.connect();
      for (const path of paths) await first.must("WRITE", [path, secret]);
      await first.must("WRITE", ["/vm/uuid/vncpasswd", open["/vm/uuid/vncpasswd"]]);
      // The first time the root comes from Git, the second time all that was done comes from the journal.
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        await daemon.kill(signal);
        daemon = await start();
        const client = await daemon.connect();
        for (const path of paths)
          expect([path, await client.ask("READ", [path])]).toEqual([path, expect.stringMatching(/^(?:|ENOENT)$/)]);
        for (const [index, requests] of steps.entries()) {
          for (const [operation, ...strings] of requests(paths[index] ?? "")) {
            if (operation === "RM") await client.ask(operation, strings);
            else await client.must(operation, strings);
          }
        }
        expectNoSecret(daemon);
      }
      await expectSound(daemon);
      await daemon.kill("SIGKILL");
      daemon = await start();
      await expectSound(daemon);
      expectNoSecret(daemon);
      await daemon.stop();
    });
  }, 60_000);

  it("does not take a guest's text for a marker, on a path of its own or on one that is redacted", async () => {
    await withTemporaryDirectory(async (directory) => {
      let daemon = await startDaemon({ directory, flags });
      await writeSecrets(daemon);
      await expectSound(daemon);
      const marker = git(daemon, "show", "main:local/domain/5/vncpasswd");
      const guest = await daemon.connectGuest(5);
      await guest.must("WRITE", ["data/copied", marker]);
      await guest.must("WRITE", ["vncpasswd", marker]);
      await expectSound(daemon);
      expect(git(daemon, "show", "main:local/domain/5/vncpasswd"), "it is a value like any other").not.toBe(marker);
      await daemon.kill("SIGKILL");
      daemon = await startDaemon({ directory, flags });
      const client = await daemon.connect();
      expect(await client.must("READ", ["/local/domain/5/data/copied"])).toBe(marker);
      expect(await client.must("READ", ["/local/domain/5/vncpasswd"])).toBe("");
      await daemon.stop();
    });
  }, 60_000);

  it("is refused with code 2 and what would be right when the glob is bad, and is told by --help", () => {
    const run = (...words: readonly string[]) =>
      spawnSync(process.execPath, ["--import", "tsx", join(project, "daemon", "main.ts"), ...words], {
        encoding: "utf8",
      });
    const bad = run("--redact", "vncpasswd");
    expect(bad.status).toBe(2);
    expect(bad.stderr).toContain('A glob is an absolute path and begins with "/", for example /vm/*/vncpasswd');
    expect(run("--help").stdout).toMatch(/--redact <glob> .*keep values at these paths out of/);
  }, 30_000);
});

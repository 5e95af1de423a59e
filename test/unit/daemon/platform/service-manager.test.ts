import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { notifyReady } from "../../../../daemon/platform/service-manager.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

/** Puts a `systemd-notify` into the path that ends with this code; returns where it writes its words. */
function fakeNotify(code: number): string {
  const directory = temporaryDirectory();
  const said = join(directory, "said");
  const script = `#!/bin/sh\necho "$@" > ${said}.new && mv ${said}.new ${said}\nexit ${String(code)}\n`;
  writeFileSync(join(directory, "systemd-notify"), script, { mode: 0o755 });
  vi.stubEnv("PATH", `${directory}:${process.env["PATH"] ?? ""}`);
  return said;
}

describe("notifyReady", () => {
  test("says that the daemon is ready to whoever wants to know, and to nobody else", async () => {
    const said = fakeNotify(0);
    const failures: string[] = [];
    notifyReady({}, (reason) => failures.push(reason));
    notifyReady({ NOTIFY_SOCKET: "" }, (reason) => failures.push(reason));
    notifyReady({ NOTIFY_SOCKET: "/run/x" }, (reason) => failures.push(reason));
    await vi.waitUntil(() => existsSync(said));
    expect(readFileSync(said, "utf8")).toBe("--ready\n");
    expect(failures).toEqual([]);
  });

  test("tells why it could not be said", async () => {
    fakeNotify(3);
    const failures: string[] = [];
    notifyReady({ NOTIFY_SOCKET: "/run/x" }, (reason) => failures.push(reason));
    await vi.waitUntil(() => failures.length > 0);
    expect(failures[0]).toMatch(/^the service manager could not be told that the daemon serves: /);
  });
});

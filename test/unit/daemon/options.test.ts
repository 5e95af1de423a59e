/** The command line: what its help promises, and what it refuses. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { parsePathGlob } from "../../../daemon/journal/path-glob.js";
import { parseDaemonOptions } from "../../../daemon/options.js";

afterEach(() => {
  vi.restoreAllMocks();
});

/** What the command line says before it ends the process, and with which code. */
function ended(...argv: readonly string[]): { code: unknown; said: string } {
  let said = "";
  const hear = (text: unknown): boolean => {
    said += String(text);
    return true;
  };
  vi.spyOn(process.stdout, "write").mockImplementation(hear);
  vi.spyOn(process.stderr, "write").mockImplementation(hear);
  let code: unknown;
  const exit = vi.spyOn(process, "exit").mockImplementation((given) => {
    code ??= given;
    throw new Error("exit");
  });
  expect(() => parseDaemonOptions(argv, {}, "1.2.3")).toThrow("exit");
  expect(exit).toHaveBeenCalled();
  return { code, said };
}

describe("parseDaemonOptions", () => {
  it("counts for the metrics unless told otherwise, or where nobody can ask for them", () => {
    const hasMetrics = (...argv: string[]): boolean => parseDaemonOptions(argv, {}, "1.2.3").hasMetrics;
    expect([hasMetrics(), hasMetrics("--no-metrics"), hasMetrics("--no-admin")]).toEqual([true, false, false]);
  });

  it("is reached by browsers on this machine alone unless told otherwise, and where there is an HTTP API", () => {
    const http = (...argv: string[]) => parseDaemonOptions(argv, {}, "1.2.3").http;
    expect(http()).toEqual({ address: { host: "127.0.0.1", port: 7437 }, tls: undefined, names: [] });
    expect(http("--http", "[::1]:80")?.address).toEqual({ host: "::1", port: 80 });
    expect([http("--http", "off"), http("--no-admin"), http("--no-admin", "--http", "off")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const all = [
      "--http",
      "0.0.0.0:443",
      "--http-cert",
      "/c.pem",
      "--http-key",
      "/k.pem",
      "--http-name",
      "xen.example",
    ];
    expect(http(...all)).toEqual({
      address: { host: "0.0.0.0", port: 443 },
      tls: { certFile: "/c.pem", keyFile: "/k.pem" },
      names: ["xen.example"],
    });
  });

  it.each([
    { argv: ["--http", "7437"], said: /an address and a port, such as 127\.0\.0\.1:7437/ },
    { argv: ["--http", "0.0.0.0:7437"], said: /can be reached from elsewhere: that needs --http-cert and --http-key/ },
    { argv: ["--http", "[::]:7437", "--http-name", "a"], said: /\[::\]:7437 can be reached from elsewhere/ },
    { argv: ["--http-cert", "/c.pem"], said: /--http-cert and --http-key go together/ },
    {
      argv: ["--http", "10.0.0.1:1", "--http-cert", "/c", "--http-key", "/k"],
      said: /needs the names by which it is asked/,
    },
    { argv: ["--no-admin", "--http", "127.0.0.1:1"], said: /--no-admin serves no HTTP API/ },
  ])("refuses $argv", ({ argv, said }) => {
    const end = ended(...argv);
    expect([end.code, end.said]).toEqual([2, expect.stringMatching(said)]);
  });

  it("shows globs in its help that match where libxl writes the password of a display", () => {
    const { code, said } = ended("--help");
    expect(code).toBe(0);
    const globs = [...said.matchAll(/--redact '([^']+)'/g)].map(([, text = ""]) => parsePathGlob(text));
    const uuid = "/vm/8f2a1c52-6f0e-4b0e-9d5c-1f2e3d4c5b6a/vncpasswd";
    for (const path of ["/local/domain/0/backend/vfb/5/0/vncpasswd", uuid]) {
      expect([path, globs.some((glob) => glob.matches(path))]).toEqual([path, true]);
    }
  });

  it("says in its help that durability none is what process is at present", () => {
    expect(ended("--help").said).toContain('none     nothing for certain; at present it writes what "process" writes');
  });

  it.each(["--dir", "--state", "--run"])("refuses an empty %s, which would mean the working directory", (flag) => {
    const { code, said } = ended(flag, "");
    expect(code).toBe(2);
    expect(said).toMatch(new RegExp(`'${flag} <dir>' argument '' is invalid. It is the path of a directory`));
  });

  it("traces nowhere unless told, and then within 512 MiB", () => {
    expect(parseDaemonOptions([], {}, "1.2.3").trace).toBeUndefined();
    expect(parseDaemonOptions(["--trace", "/var/trace.json"], {}, "1.2.3").trace).toEqual({
      file: "/var/trace.json",
      bytesMax: 64 * 1024 * 1024,
      filesMax: 8,
    });
    const words = ["--trace", "/t", "--trace-bytes-max", "1g", "--trace-files-max", "1"];
    expect(parseDaemonOptions(words, {}, "1.2.3").trace).toEqual({ file: "/t", bytesMax: 1024 ** 3, filesMax: 1 });
  });

  it.each([
    ["--trace-bytes-max", "1G"],
    ["--trace-files-max", "3"],
  ])("refuses %s without a trace that it could limit", (flag, value) => {
    const { code, said } = ended(flag, value);
    expect(code).toBe(2);
    expect(said).toContain(`${flag} says how large a trace may be, and there is none: add --trace FILE`);
  });

  it.each([
    ["--trace", "", "It is the path of a file and not empty."],
    ["--trace-bytes-max", "63K", "It is a number of bytes, or one with K, M or G behind it; at least 64K."],
    ["--trace-files-max", "0", "It is a number of files from 1 to 1000."],
    ["--trace-files-max", "1001", "It is a number of files from 1 to 1000."],
  ])("refuses %s '%s' and says what would be right", (flag, value, right) => {
    const { code, said } = ended(flag, value);
    expect([code, said]).toEqual([2, expect.stringContaining(right)]);
  });
});

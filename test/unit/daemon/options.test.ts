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
});

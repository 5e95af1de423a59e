import { describe, expect, test } from "vitest";
import { chooseSocket } from "../../../../clients/cli/socket-choice.js";

const around = (environment: Record<string, string>, file?: string): Parameters<typeof chooseSocket>[2] => ({
  environment,
  fileExists: (path) => path === file,
});

describe("chooseSocket", () => {
  const local = ".xenstore/run/socket";
  const both = { XENSTORED_PATH: "/p/socket", XENSTORED_RUNDIR: "/r" };

  test("prefers what it is given, then the environment, then the working directory, then the system", () => {
    expect(chooseSocket("/given", undefined, around(both, local)).socket).toBe("/given");
    expect(chooseSocket(undefined, undefined, around(both, local)).socket).toBe("/p/socket");
    expect(chooseSocket(undefined, undefined, around({ XENSTORED_RUNDIR: "/r" }, local)).socket).toBe("/r/socket");
    expect(chooseSocket(undefined, undefined, around({}, local)).socket).toBe(local);
    expect(chooseSocket(undefined, undefined, around({})).socket).toBe("/run/xenstored/socket");
  });

  test("tells what is named from what is there by custom", () => {
    const isNamed = (given: string | undefined, environment: Record<string, string>, file?: string): boolean =>
      chooseSocket(given, undefined, around(environment, file)).isNamed;
    expect([isNamed("/given", {}), isNamed(undefined, both), isNamed(undefined, { XENSTORED_RUNDIR: "/r" })]).toEqual([
      true,
      true,
      true,
    ]);
    expect([isNamed(undefined, {}, local), isNamed(undefined, {}), isNamed(undefined, { XENSTORED_PATH: "" })]).toEqual(
      [false, false, false],
    );
  });

  test("an empty variable is as good as none", () => {
    expect(chooseSocket(undefined, undefined, around({ XENSTORED_PATH: "", XENSTORED_RUNDIR: "" })).socket).toBe(
      "/run/xenstored/socket",
    );
  });

  test("a fork has its socket beside the daemon's, from whichever of the two the way begins", () => {
    const chosen = { socket: "/r/branches/try", runDirectory: "/r", fork: "try", isNamed: true };
    expect(chooseSocket("/r/socket", "try", around({}))).toEqual(chosen);
    expect(chooseSocket("/r/branches/other", "try", around({}))).toEqual(chosen);
    expect(chooseSocket("/r/branches/try", undefined, around({}, "/r/admin.sock"))).toEqual(chosen);
    expect(chooseSocket("/r/socket", undefined, around({}))).toMatchObject({ runDirectory: "/r", fork: undefined });
  });

  test("main has the daemon's socket, from whichever of the two the way begins", () => {
    const main = { socket: "/r/socket", runDirectory: "/r", fork: undefined, isNamed: true };
    expect(chooseSocket("/r/socket", "main", around({}))).toEqual(main);
    expect(chooseSocket("/r/branches/try", "main", around({}))).toEqual(main);
    expect(chooseSocket("/r/mine", "main", around({})).socket).toBe("/r/mine");
  });

  test("a daemon's own directory may be called as that of forks is", () => {
    const main = { socket: "/r/branches/socket", runDirectory: "/r/branches", fork: undefined, isNamed: true };
    expect(chooseSocket("/r/branches/socket", undefined, around({}, "/r/branches/admin.sock"))).toEqual(main);
    expect(chooseSocket("/r/branches/socket", undefined, around({}))).toEqual(main);
  });
});

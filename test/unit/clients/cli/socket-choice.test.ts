import { describe, expect, test } from "vitest";
import { chooseSocket } from "../../../../clients/cli/socket-choice.js";

const around = (environment: Record<string, string>, file?: string): Parameters<typeof chooseSocket>[1] => ({
  environment,
  fileExists: (path) => path === file,
});

describe("chooseSocket", () => {
  const local = ".xenstore/run/socket";
  const both = { XENSTORED_PATH: "/p/socket", XENSTORED_RUNDIR: "/r" };

  test("prefers what it is given, then the environment, then the working directory, then the system", () => {
    expect(chooseSocket("/given", around(both, local))).toBe("/given");
    expect(chooseSocket(undefined, around(both, local))).toBe("/p/socket");
    expect(chooseSocket(undefined, around({ XENSTORED_RUNDIR: "/r" }, local))).toBe("/r/socket");
    expect(chooseSocket(undefined, around({}, local))).toBe(local);
    expect(chooseSocket(undefined, around({}))).toBe("/run/xenstored/socket");
  });

  test("an empty variable is as good as none", () => {
    expect(chooseSocket(undefined, around({ XENSTORED_PATH: "", XENSTORED_RUNDIR: "" }))).toBe("/run/xenstored/socket");
  });
});

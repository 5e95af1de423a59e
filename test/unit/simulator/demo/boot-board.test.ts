import { describe, expect, test } from "vitest";
import { BootBoard } from "../../../../simulator/demo/boot-board.js";

function show(isTerminal: boolean): string[] {
  const written: string[] = [];
  let now = 0;
  const board = new BootBoard({ write: (text) => written.push(text) }, isTerminal, ["vm1", "vm2"], () => now);
  board.phase("vm1", "make");
  now += 50;
  board.phase("vm2", "build");
  now += 50;
  board.phase("vm2", "vbd");
  board.connected("vm1", 1234);
  board.failed("vm2", "no disk");
  board.phase("vm1", "destroy");
  board.finish();
  return written;
}

describe("BootBoard", () => {
  test("writes a line for each machine's outcome, without control characters, where there is no terminal", () => {
    expect(show(false)).toEqual(["  vm1   connected after 1.23 s\n", "  vm2   FAILED: no disk\n"]);
  });

  test("draws all bars in their place on a terminal, at most ten times a second and once at the end", () => {
    const clear = "\u001b[K";
    expect(show(true)).toEqual([
      `${clear}  vm1   [.........] make\n${clear}  vm2   [.........] waits\n`,
      `\u001b[2A${clear}  vm1   [.........] make\n${clear}  vm2   [##.......] vbd\n`,
      `\u001b[2A${clear}  vm1   [#########] connected after 1.23 s\n${clear}  vm2   [##.......] FAILED: no disk\n`,
    ]);
  });
});

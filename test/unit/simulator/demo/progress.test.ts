import { describe, expect, test } from "vitest";
import { Progress } from "../../../../simulator/demo/progress.js";

function play(isTerminal: boolean): string[] {
  const written: string[] = [];
  const progress = new Progress({ write: (text) => written.push(text) }, isTerminal);
  progress.start({ name: "vbd", purpose: "adds a disk", steps: 40 });
  for (let step = 0; step < 40; step++) progress.step();
  progress.end({ requests: 30, events: 10 });
  return written;
}

describe("Progress", () => {
  test("writes one line for each phase, without control characters, where there is no terminal", () => {
    expect(play(false)).toEqual(["  vbd          30 requests  10 events  adds a disk\n"]);
  });

  test("lets a bar grow in its place on a terminal, once for each cell", () => {
    const written = play(true);
    expect(written).toHaveLength(1 + 20 + 1);
    expect(written[0]).toBe("  vbd         [....................] adds a disk");
    expect(written[10]).toBe("\r  vbd         [##########..........] adds a disk");
    expect(written.at(-1)).toBe(
      "\r\u001b[K  vbd         [####################]  30 requests  10 events  adds a disk\n",
    );
    expect(written.slice(0, -1).join("")).not.toContain("\n");
  });

  test("breakOff ends the line of a bar, and nothing else", () => {
    for (const isTerminal of [true, false]) {
      const written: string[] = [];
      new Progress({ write: (text) => written.push(text) }, isTerminal).breakOff();
      expect(written).toEqual(isTerminal ? ["\n"] : []);
    }
  });
});

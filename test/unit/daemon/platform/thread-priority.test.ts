/** In a process of its own: what was lowered is never raised again. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const module = fileURLToPath(new URL("../../../../daemon/platform/thread-priority.ts", import.meta.url));

describe("lowerThreadPriority", () => {
  it.runIf(process.platform === "linux")("makes the calling thread modest, and says so", () => {
    const script = `
      import { getPriority } from "node:os";
      import { lowerThreadPriority } from ${JSON.stringify(module)};
      const before = getPriority(0);
      console.log(JSON.stringify({ lowered: lowerThreadPriority(15), before, after: getPriority(0) }));`;
    const words = ["--import", "tsx", "--input-type=module", "--eval", script];
    const printed = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as {
      lowered: boolean;
      before: number;
      after: number;
    };
    expect(printed).toEqual({ lowered: true, before: expect.any(Number) as number, after: 15 });
    expect(printed.before).toBeLessThan(15);
  });
});

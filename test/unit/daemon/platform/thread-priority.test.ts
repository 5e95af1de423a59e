/** In a process of its own: without a privilege, what was lowered is never raised again. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const module = fileURLToPath(new URL("../../../../daemon/platform/thread-priority.ts", import.meta.url));

describe("setThreadPriority", () => {
  it.runIf(process.platform === "linux")("makes the calling thread modest, and as it was where that is allowed", () => {
    const script = `
      import { getPriority } from "node:os";
      import { setThreadPriority } from ${JSON.stringify(module)};
      const before = getPriority(0);
      const lowered = setThreadPriority(15);
      const modest = getPriority(0);
      const raised = setThreadPriority(before);
      console.log(JSON.stringify({ before, lowered, modest, raised, after: getPriority(0) }));`;
    const words = ["--import", "tsx", "--input-type=module", "--eval", script];
    const printed = JSON.parse(execFileSync(process.execPath, words, { encoding: "utf8" })) as {
      before: number;
      lowered: boolean;
      modest: number;
      raised: boolean;
      after: number;
    };
    expect(printed).toMatchObject({ lowered: true, modest: 15 });
    expect(printed.before).toBeLessThan(15);
    expect(printed.after).toBe(printed.raised ? printed.before : 15);
  });
});

/**
 * Each fault of the catalogue, in one machine of twenty that boot on one host, found in the recorded history by its name: `xs
 * bisect` shows the commit that broke the machine.
 *
 * A minute for all of them; with `LONG=1` each lives three lives.
 */
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createHistory } from "../../daemon/history-writer.js";
import type { BisectAnswer } from "../../protocol/http-api/bisect.js";
import { FAULT_NAMES, FAULTS, type FaultName } from "../../protocol/predicate/faults.js";
import { BREAKS, live, spans } from "../support/faulty-lives.js";
import { isLongCampaign } from "../support/seed.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import { jsonOf, programHarness } from "../unit/clients/cli/program-harness.js";

const VMS = 20;
const RUNS = isLongCampaign() ? 3 : 1;
/** Machines that `live` makes in any case. */
const VMS_MIN = 4;
const TIME_MILLISECONDS_MAX = 240_000 * RUNS;

describe("xs bisect by a fault's name", () => {
  test.each(FAULT_NAMES)(
    "%s is found in one machine of many",
    async (name) => {
      for (let run = 0; run < RUNS; run++) await findFault(name, run);
    },
    TIME_MILLISECONDS_MAX,
  );
});

async function findFault(name: FaultName, run: number): Promise<void> {
  const lives = await live(run, name, VMS - VMS_MIN);
  const broken = BREAKS[name](lives, String(lives.domid));
  // Somebody sees that it is broken before it is taken away.
  const [span] = spans(FAULTS[name].predicate, lives.domid, lives.commits);
  const bad = (span?.ended ?? lives.commits.length + 1) - 1;
  const [named, unnamed] = await withTemporaryDirectory(async (directory) => {
    const writer = createHistory({ stateDirectory: join(directory, "state"), hostName: "host" });
    writer.record(lives.commits);
    writer.finish();
    const harness = await programHarness();
    const ask = async (...ends: string[]): Promise<BisectAnswer> => {
      const words = ["bisect", "--json", "--repo", writer.repository, "--domain", String(lives.domid), ...ends];
      const { code, out, err } = await harness.run([...words, "--flips", String(bad), name], {
        files: { [writer.repository]: "" },
      });
      expect([code, err]).toEqual([0, ""]);
      return jsonOf(out) as BisectAnswer;
    };
    return [await ask("--good", "@{1}", "--bad", `@{${String(bad)}}`), await ask()] as const;
  });
  expect(broken).toBeGreaterThan(0);
  expect(named.first.seq).toBe(broken);
  expect(named.steps).toBeLessThanOrEqual(Math.ceil(Math.log2(bad - 1)));
  expect(named.flips).toEqual({ count: 1, looked: bad - 1, commits: bad - 1 });
  // Whoever comes when all is gone need not know until when it was there.
  expect(unnamed.bad.seq).toBe(bad);
  expect(unnamed.tip === undefined).toBe(span?.ended === undefined);
  expect(unnamed.first).toEqual(named.first);
}

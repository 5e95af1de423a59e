/**
 * A tick whose commits cannot be written is undone: core invariant 1.
 *
 * Random ticks are aborted and dispatched again with commits refused. Each time the core must first be what it was before
 * the tick, then answer like a model that refuses commits, and afterwards go on like the model.
 */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runArbitrary } from "../support/model/command.js";
import { Comparison } from "../support/model/comparison.js";
import { propertyParameters } from "../support/seed.js";

const runs = runArbitrary({ commandsMax: 120, withFailures: true });

describe("Core.abortTick", () => {
  test("brings back the state before the tick, and refuses the commits of the messages when they are repeated", () => {
    let refused = 0;
    const parameters = propertyParameters(600);
    fc.assert(
      fc.property(runs, (run) => {
        const comparison = new Comparison();
        comparison.run(run);
        for (const [what, count] of comparison.replies) if (/^(?:WRITE|RELEASE) ENOSPC$/.test(what)) refused += count;
      }),
      { ...parameters, endOnFailure: false },
    );
    expect(refused).toBeGreaterThan(parameters.numRuns / 5);
  });
});

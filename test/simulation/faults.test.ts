/**
 * The catalogue of faults: each fault makes its predicate true from the commit on that broke the machine, and a healthy life
 * makes none true, alone and among many (`STORM_VMS=100` for another number than twenty).
 *
 * What the breaking commit of each is, `faulty-lives.ts` says, and not the predicate.
 */
import { describe, expect, test } from "vitest";
import type { Domid } from "../../protocol/identifiers.js";
import type { Commit } from "../../daemon/store/commit.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot } from "../../daemon/store/root.js";
import { FAULT_NAMES, FAULTS } from "../../protocol/predicate/faults.js";
import { StoreAccess } from "../../simulator/actors/store-access.js";
import { Storm } from "../../simulator/storm/storm.js";
import { SMALLEST_VM } from "../../simulator/vm/vm.js";
import { BREAKS, live, PredicateFollower, spans, takesAway } from "../support/faulty-lives.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { startWorldHost } from "../support/world-host.js";

/** Lives are tried in so many orders of things. */
const HEALTHY_SEEDS = 5;
const FAULTY_SEEDS = 3;
/** What is looked at grows with the square of the machines: where somebody asks for many, one storm is tried. */
const STORM_SEEDS = process.env["STORM_VMS"] === undefined ? 3 : 1;
const STORM_VMS = Number(process.env["STORM_VMS"] ?? (isLongCampaign() ? 50 : 20));
const STORM_MILLISECONDS_MAX = 1_200_000;

describe("A fault", () => {
  test.each(FAULT_NAMES)("%s makes its predicate true from the commit on that broke the machine", async (name) => {
    for (let run = 0; run < FAULTY_SEEDS; run++) {
      const lives = await live(run, name);
      const { commits, domid, seqs, refusals } = lives;
      const broken = BREAKS[name](lives, String(domid));
      const found = spans(FAULTS[name].predicate, domid, commits);
      expect(broken).toBeGreaterThan(0);
      expect(found.map((span) => span.first)).toEqual([broken]);
      const ended = found[0]?.ended;
      if (ended !== undefined) {
        expect(ended).toBeGreaterThan(seqs.endBegins);
        // A connection that jumped over a step ends as any other does.
        if (name !== "backend-jumps") expect(takesAway(commits[ended - 1] as Commit)).toBe(true);
      }
      if (name === "node-quota-hit") expect(refusals.full).toBeGreaterThan(0);
      if (name === "eagain-storm") expect(refusals.again).toBeGreaterThan(0);
    }
  });
});

describe("A healthy life", () => {
  test("makes no fault's predicate true, for any machine", async () => {
    for (let run = 0; run < HEALTHY_SEEDS; run++) {
      const { commits, domids } = await live(run);
      for (const name of FAULT_NAMES) {
        for (const domid of domids) expect([name, ...spans(FAULTS[name].predicate, domid, commits)]).toEqual([name]);
      }
    }
  });

  test(
    `makes none true among ${String(STORM_VMS)} machines at once, at no commit of theirs`,
    { timeout: STORM_MILLISECONDS_MAX },
    async () => {
      for (let run = 0; run < STORM_SEEDS; run++) {
        const followers = new Map<string, PredicateFollower>();
        // The domains of a host are numbered from 1.
        for (let domid = 1; domid <= STORM_VMS; domid++) {
          for (const name of FAULT_NAMES) {
            const { predicate } = FAULTS[name];
            // What is said of the whole host is asked once.
            const key = predicate.replaceAll("$D", String(domid));
            if (!followers.has(key)) followers.set(key, new PredicateFollower(predicate, domid as Domid));
          }
        }
        let root = emptyRoot();
        let seen = 0;
        const committed = (made: readonly Commit[]): void => {
          for (const { seq, changes } of made) {
            root = applyChanges(root, changes, seq);
            seen++;
            for (const follower of followers.values()) follower.look(root, seq);
          }
        };
        const { world, host } = await startWorldHost(seed() + run, { observer: { committed } });
        const client = await world.runUntil(world.environment.connect(0 as Domid, "test"));
        const storm = new Storm(
          {
            vms: STORM_VMS,
            aliveMax: STORM_VMS,
            startsPerSecond: Infinity,
            runMilliseconds: 5000,
            connectMillisecondsMax: 60_000,
            shape: SMALLEST_VM,
          },
          {
            host,
            store: new StoreAccess(client),
            monotonicMilliseconds: () => world.scheduler.monotonicMilliseconds(),
            delay: (milliseconds, signal) => world.scheduler.delay(milliseconds, signal),
            signal: new AbortController().signal,
          },
        );
        const report = await world.runUntil(storm.run());
        expect([report.connected, report.failures, report.leaks]).toEqual([STORM_VMS, [], []]);
        expect(seen).toBeGreaterThan(STORM_VMS * 50);
        expect([...followers].filter(([, { spans }]) => spans.length > 0).map(([text]) => text)).toEqual([]);
      }
    },
  );
});

/**
 * Every crash point: the daemon dies before each call that changes the disk, and in the middle of each write, and the disk
 * loses nothing, everything, or any part of what was not synced.
 *
 * Owns the losses and the oracle: acknowledged ⊆ found ⊆ acknowledged ∪ in flight; the state is the model's; a daemon that
 * starts there records the rest, brings to its end what maintenance was under way, leaves no litter, goes on, and survives
 * the next crash, whether it comes at once or later; the history holds each commit that must be kept once, without gaps, each
 * with the model's tree. What a daemon does in a scenario is `test/support/crash-scenario.ts`.
 */
import { describe, expect, it } from "vitest";
import type { Durability } from "../../daemon/journal/journal.js";
import { messageOf } from "../../daemon/platform/error-message.js";
import { sameRoot } from "../../daemon/store/diff.js";
import {
  COMMITS_TOO_MANY_MAX,
  Life,
  MAINTAINING,
  observe,
  playScenario,
  RECORDING,
  REPOSITORY_DIRECTORY,
  type CrashPoint,
  type ScenarioStep,
} from "../support/crash-scenario.js";
import { checkHistory, exportRepository, halfPacks, leftovers } from "../support/history-check.js";
import type { HistoryModel } from "../support/history-model.js";
import type { EntryOrder, Loss, MemoryFileSystem } from "../support/memory-file-system.js";
import { createRandom, type Random } from "../../simulator/world/random.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";
import { fsckComplaints, git } from "../unit/daemon/history/repository/repository-support.js";

/** A life, and how much of it is tried. */
interface Campaign {
  readonly scenario: string;
  readonly steps: readonly ScenarioStep[];
  readonly durability: Durability;
  /** Tells the random numbers of one campaign from another's. */
  readonly stream: number;
  /** Commits that are sealed at its end, those of them that are dropped, and crash points that it has, at least. */
  readonly commitsMin: number;
  readonly droppedMin: number;
  readonly pointsMin: number;
  /** Random losses for each crash point. */
  readonly randomLosses: number;
  /** After one in so many crashes the daemon goes on, and there is another crash: of the start at a random point, and later. */
  readonly secondsSampled: number;
  /** After one in so many the start is crashed at each of its points. */
  readonly startsSampled: number;
  /** Git looks at the outcome of one in so many crashes. */
  readonly gitSampled: number;
}

const RECORDING_CAMPAIGN = {
  scenario: "recording",
  steps: RECORDING,
  commitsMin: 20,
  droppedMin: 0,
  pointsMin: 120,
  randomLosses: isLongCampaign() ? 60 : 2,
  secondsSampled: isLongCampaign() ? 1 : 2,
  startsSampled: isLongCampaign() ? 40 : 90,
  gitSampled: isLongCampaign() ? 200 : 100,
};
const MAINTAINING_CAMPAIGN = {
  scenario: "maintaining",
  steps: MAINTAINING,
  commitsMin: 30,
  // More than anybody asks for: the limits drop some too.
  droppedMin: 13,
  pointsMin: 300,
  randomLosses: isLongCampaign() ? 30 : 1,
  secondsSampled: isLongCampaign() ? 2 : 6,
  startsSampled: isLongCampaign() ? 100 : 500,
  gitSampled: isLongCampaign() ? 400 : 130,
};
const CAMPAIGNS: readonly Campaign[] = [
  { ...RECORDING_CAMPAIGN, durability: "power", stream: 1 },
  { ...RECORDING_CAMPAIGN, durability: "process", stream: 2 },
  { ...MAINTAINING_CAMPAIGN, durability: "power", stream: 3 },
  // What maintenance does is the same whatever the journal does.
  ...(isLongCampaign() ? [{ ...MAINTAINING_CAMPAIGN, durability: "process" as const, stream: 4 }] : []),
];

/** A minute's work on an idle machine for all of them, in a long campaign half an hour's. */
const MILLISECONDS_MAX = isLongCampaign() ? 7_200_000 : 300_000;

/** What a crash takes. */
interface Crash {
  readonly name: string;
  readonly loss: Loss;
  readonly entryOrder: EntryOrder;
}

const PROCESS_DEATH: Crash = { name: "nothing", loss: "nothing", entryOrder: "in order" };
const TOTAL_LOSS: Crash = { name: "everything", loss: "everything", entryOrder: "in order" };

function randomCrash(random: Random, entryOrder: EntryOrder): Crash {
  const probability = [0.1, 0.5, 0.9][random.below(3)] ?? 0.5;
  const name = `each thing with probability ${String(probability)}, entries ${entryOrder}`;
  return { name, loss: () => random.fraction() < probability, entryOrder };
}

/** A disk after a crash, and what the daemon on it had promised. */
interface Wreck {
  readonly disk: MemoryFileSystem;
  readonly model: HistoryModel;
  readonly durability: Durability;
  /** The least seq that must be found. */
  readonly least: number;
  /** Whether any crash so far lost entries in any order. */
  readonly entryOrder: EntryOrder;
}

/** Where a daemon dies. */
interface Death {
  readonly point: CrashPoint;
  readonly part?: "half" | undefined;
  readonly crash: Crash;
}

/** Crashes at a point. */
function wreck({ point, part, crash }: Death, durability: Durability): Wreck {
  const model = point.model();
  return crashDisk({ disk: point.disk(part), model, durability, least: 0, entryOrder: "in order" }, crash);
}

/** Crashes a disk, and says what must be found on it. */
function crashDisk({ disk, model, durability, entryOrder: before }: Wreck, { loss, entryOrder: order }: Crash): Wreck {
  disk.crash(loss, order);
  // Where entries were lost in any order, what that left is still there.
  const entryOrder = before === "any" ? before : order;
  if (loss !== "nothing") model.boot++;
  // What is sealed has been synced, whatever the durability of replies.
  const least = durability === "power" || loss === "nothing" ? model.acknowledged : model.sealed;
  return { disk, model, durability, least, entryOrder };
}

function describeDeath({ point, part, crash }: Death): string {
  const where = part === undefined ? "before" : "in the middle of";
  return `${where} call ${String(point.index)}, ${point.call}, that took ${crash.name}`;
}

/** Checks what a start has found. */
function checkFound(life: Life, { model, least }: Wreck): void {
  const { seq, root } = life.found;
  if (seq < least) throw new Error(`commits ${String(seq + 1)} to ${String(least)} are lost`);
  if (seq > model.appended) throw new Error(`commit ${String(seq)} was never made`);
  if (!sameRoot(root, model.rootAt(seq))) throw new Error(`the state is not that after commit ${String(seq)}`);
}

/** Checks a history with which its daemon is done. */
function checkSettled(life: Life, { disk, model, entryOrder }: Wreck): void {
  const oldest = checkHistory({
    fileSystem: disk,
    repositoryDirectory: REPOSITORY_DIRECTORY,
    model,
    seq: model.acknowledged,
    settledWithin: COMMITS_TOO_MANY_MAX,
  });
  expect(life.maintenance.progress().oldestSeq ?? 1).toBe(oldest);
  expect(leftovers(disk, REPOSITORY_DIRECTORY)).toEqual([]);
  // Where entries reach the disk in any order, a pack may come without the `.keep` that tells that it is half placed. It
  // cannot be removed then: Git places its own packs in the same way, and may be about to.
  if (entryOrder === "in order") expect(halfPacks(disk, REPOSITORY_DIRECTORY)).toEqual([]);
}

/** Is told of each crash point of a start, and whether the start has told what it found. */
type Visit = (point: CrashPoint, isUp: boolean) => void;

/** Starts a daemon on a wreck, and lets it work until nothing is left to do; `visit` sees each of its crash points. */
function recover(wrecked: Wreck, visit?: Visit): Life {
  const { disk, model, durability } = wrecked;
  let isUp = false;
  const watched =
    visit === undefined
      ? disk
      : observe(disk, model, (point) => {
          visit(point, isUp);
        });
  const life = new Life({ disk: watched, model, durability });
  checkFound(life, wrecked);
  model.resumeAt(life.found.seq);
  isUp = true;
  life.record();
  life.seal();
  life.settle();
  checkSettled(life, wrecked);
  return life;
}

/** Starts a daemon on the wreck, checks what it has, lets it go on, and crashes it once more: at its start, and later. */
function checkRecoveries(wrecked: Wreck, random: Random): void {
  const { disk, model } = wrecked;
  const second = new SecondCrash(wrecked, random);
  const life = recover(wrecked, second.visit);
  life.commit(2);
  life.append(2);
  checkHistory({ fileSystem: disk, repositoryDirectory: REPOSITORY_DIRECTORY, model, seq: model.sealed });
  for (const crash of [PROCESS_DEATH, TOTAL_LOSS]) {
    at(`that, and a crash later that took ${crash.name}`, () => {
      recover(crashDisk({ ...wrecked, disk: disk.fork(), model: model.fork() }, crash)).end();
    });
  }
  second.check();
}

/** One crash of a start, at any of its points. */
class SecondCrash {
  readonly #first: Wreck;
  readonly #random: Random;
  #seen = 0;
  #chosen: { readonly name: string; readonly wrecked: Wreck } | undefined;

  constructor(first: Wreck, random: Random) {
    this.#first = { ...first, model: first.model.fork() };
    this.#random = random;
  }

  /** How many points there are is known at the end: each replaces the one that was chosen before as often as makes all equal. */
  readonly visit: Visit = (point, isUp) => {
    const random = this.#random;
    if (random.below(++this.#seen) > 0) return;
    const part: "half" | undefined = point.isWrite && random.fraction() < 0.5 ? "half" : undefined;
    const kind = random.below(3);
    const crash = kind === 0 ? PROCESS_DEATH : kind === 1 ? TOTAL_LOSS : randomCrash(random, "in order");
    const death = { point, part, crash };
    const name = `that, and a crash of the start ${describeDeath(death)}`;
    this.#chosen = { name, wrecked: wreckOfStart(this.#first, death, isUp) };
  };

  check(): void {
    const chosen = this.#chosen;
    if (chosen === undefined) return;
    at(chosen.name, () => {
      recover(chosen.wrecked).end();
    });
  }
}

/** A start that was crashed: before it has told what it found, what had to be found still has to. */
function wreckOfStart(first: Wreck, death: Death, isUp: boolean): Wreck {
  const again = wreck(death, first.durability);
  // Where entries were lost in any order, what that left is still there.
  const entryOrder = first.entryOrder === "any" ? "any" : again.entryOrder;
  if (isUp) return { ...again, entryOrder };
  const survivesAll = first.durability === "power" || death.crash.loss === "nothing";
  return { ...again, entryOrder, least: survivesAll ? first.least : first.model.sealed };
}

/** Crashes the start on a wreck at each of its points. */
function checkCrashesOfStart(wrecked: Wreck): number {
  const points: { readonly name: string; readonly wrecked: Wreck }[] = [];
  const first = { ...wrecked, model: wrecked.model.fork() };
  recover({ ...wrecked, disk: wrecked.disk.fork(), model: wrecked.model.fork() }, (point, isUp) => {
    for (const crash of [PROCESS_DEATH, TOTAL_LOSS]) {
      const death = { point, crash };
      points.push({
        name: `that, and a crash of the start ${describeDeath(death)}`,
        wrecked: wreckOfStart(first, death, isUp),
      });
    }
  }).end();
  for (const each of points) {
    at(each.name, () => {
      recover(each.wrecked).end();
    });
  }
  return points.length;
}

/** Says of an error at which crash it happened. */
function at<T>(description: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw new Error(`after ${description}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

describe.each(CAMPAIGNS)("$scenario with durability $durability", (campaign) => {
  const { durability, steps } = campaign;
  const chosen = seed();

  it("the undisturbed scenario is recorded as the model says, and Git agrees", async () => {
    const { disk, model } = playScenario({ durability, steps, visit: () => undefined });
    const oldest = checkHistory({
      fileSystem: disk,
      repositoryDirectory: REPOSITORY_DIRECTORY,
      model,
      seq: model.sealed,
      decodes: true,
    });
    expect(oldest - 1).toBeGreaterThanOrEqual(campaign.droppedMin);
    expect(model.sealed).toBeGreaterThanOrEqual(campaign.commitsMin);
    await checkWithGit({ name: "no crash", disk, model });
  });

  it(
    "a crash at any call loses nothing acknowledged, invents nothing, and the next daemon goes on",
    async () => {
      const counts = { points: 0, crashes: 0, seconds: 0 };
      const forGit: Outcome[] = [];
      const random = createRandom({ seed: chosen, stream: campaign.stream });
      const failures: unknown[] = [];
      const visit = (point: CrashPoint): void => {
        // Thrown here, a failure would be the daemon's to handle: the visit is made in the midst of one of its calls.
        if (failures.length > 0) return;
        counts.points++;
        try {
          for (const part of point.isWrite ? [undefined, "half" as const] : [undefined]) {
            for (const crash of crashesAt(campaign, part, random)) {
              const death = { point, part, crash };
              const name = `a crash ${describeDeath(death)} (SEED=${String(chosen)})`;
              const wrecked = wreck(death, durability);
              const isForGit = random.below(campaign.gitSampled) === 0;
              if (isForGit && crash.entryOrder === "in order" && wrecked.model.sealed > 0) {
                forGit.push({ name, disk: wrecked.disk.fork(), model: undefined });
              }
              counts.crashes++;
              const isSecond = random.below(campaign.secondsSampled) === 0;
              if (isSecond) counts.seconds += 3;
              at(name, () => {
                if (counts.crashes % campaign.startsSampled === 0) counts.seconds += checkCrashesOfStart(wrecked);
                if (isSecond) checkRecoveries(wrecked, random);
                else recover(wrecked);
              });
              if (isForGit) forGit.push({ name: `${name}, and a start`, disk: wrecked.disk, model: wrecked.model });
            }
          }
        } catch (error) {
          failures.push(error);
        }
      };
      playScenario({ durability, steps, visit });
      if (failures.length > 0) throw failures[0];
      const { points, crashes, seconds } = counts;
      console.log(
        `${campaign.scenario}, ${durability}: ${String(points)} crash points, ${String(crashes)} crashes, ` +
          `${String(seconds)} more after them; Git has looked at ${String(forGit.length)} repositories`,
      );
      expect(points).toBeGreaterThan(campaign.pointsMin);
      for (const outcome of forGit) await checkWithGit(outcome);
    },
    MILLISECONDS_MAX,
  );
});

/** A repository that Git is to look at. */
interface Outcome {
  readonly name: string;
  readonly disk: MemoryFileSystem;
  /** Undefined for a repository that no daemon has looked at since the crash. */
  readonly model: HistoryModel | undefined;
}

/** The crashes to try at a point. What is lost whole tells nothing of how much of a write was done. */
function crashesAt({ durability, randomLosses }: Campaign, part: "half" | undefined, random: Random): Crash[] {
  const crashes = part === "half" ? [PROCESS_DEATH] : [PROCESS_DEATH, TOTAL_LOSS];
  for (let index = 0; index < randomLosses; index++) {
    // Without syncs, which `process` leaves out, a journal without its oldest segment is possible where entries have no
    // order, and is rightly refused.
    crashes.push(randomCrash(random, durability === "power" && random.fraction() < 0.5 ? "any" : "in order"));
  }
  return crashes;
}

async function checkWithGit({ name, disk, model }: Outcome): Promise<void> {
  await withTemporaryDirectory((directory) => {
    try {
      exportRepository(disk, REPOSITORY_DIRECTORY, directory);
      expect(fsckComplaints(directory)).toBe("");
      if (model === undefined || model.sealed === 0) return;
      const seq = model.sealed;
      const commits = git(directory, ["rev-list", "--parents", "main"]).split("\n");
      const oldest = seq - commits.length + 1;
      expect(oldest).toBeLessThanOrEqual(model.oldest(seq).most);
      expect(oldest).toBeGreaterThanOrEqual(model.oldest(seq).least);
      expect(git(directory, ["log", "-1", "--format=%(trailers:key=Seq,valueonly)", "main"])).toBe(String(seq));
      for (const tag of model.tags.keys()) git(directory, ["ls-tree", "-r", tag]);
    } catch (error) {
      throw new Error(`after ${name}: ${messageOf(error)}`, { cause: error });
    }
  });
}

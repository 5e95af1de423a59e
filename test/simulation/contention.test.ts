/**
 * Transactions that contend, in virtual time: many clients that each list a directory and make or remove a node in it, with
 * those among them that idle, die, and have several transactions open, and a journal that fails now and then.
 */
import { describe, expect, test } from "vitest";
import { CHECK_MILLISECONDS, GUEST_PATIENCE, WAIT_MILLISECONDS_MAX } from "../../daemon/server/turnstile.js";
import type { Domid } from "../../protocol/identifiers.js";
import { createRandom, type Random } from "../../simulator/world/random.js";
import { World } from "../../simulator/world/world.js";
import { isLongCampaign, seed } from "../support/seed.js";
import { connectSynchronously, GoneError, type SynchronousClient } from "../support/synchronous-client.js";

const DIRECTORY = "/shared";
/** No START is under way longer: a bound is looked at every so often, and a busy world's steps take a little time too. */
const START_MILLISECONDS_MAX = WAIT_MILLISECONDS_MAX + CHECK_MILLISECONDS + 5;
const SEEDS = isLongCampaign() ? 500 : 5;

/** A world with a directory that everybody may write to. */
class Stage {
  readonly world: World;
  readonly random: Random;
  /** One commit in so many is refused by the journal; 0 is none. */
  journalFailsOnceIn = 0;
  #names = 0;

  constructor(worldSeed: number, takesTurns: boolean) {
    this.random = createRandom({ seed: worldSeed, stream: 7 });
    this.world = new World(worldSeed, {
      takesTurns,
      observer: { committed: () => undefined },
      mistakes: {
        commits: (commits) => {
          if (this.journalFailsOnceIn > 0 && this.random.below(this.journalFailsOnceIn) === 0) throw new Error("full");
          return commits;
        },
      },
    });
  }

  async setUp(guests: readonly number[]): Promise<void> {
    await this.world.startDaemon();
    const dom0 = await connectSynchronously(this.world);
    for (const domid of guests) {
      const introduced = await dom0.ask("INTRODUCE", { domid: domid as Domid, gfn: 1, port: 1 });
      expect(introduced).toEqual({ payload: "OK\0" });
    }
    await dom0.ask("MKDIR", { path: DIRECTORY });
    await dom0.ask("SET_PERMS", { path: DIRECTORY, perms: [{ access: 3, domid: 0 as Domid }] });
    dom0.close();
  }

  get now(): number {
    return this.world.scheduler.monotonicMilliseconds();
  }

  /** A name that no other client uses. */
  nextName(): string {
    return `n${String(this.#names++)}`;
  }

  /** Waits for some time, at most `milliseconds`. */
  async think(milliseconds: number): Promise<void> {
    await this.world.scheduler.delay(this.random.fraction() * milliseconds);
  }
}

/** A client that lists the directory and makes or removes its node there, again and again. */
class Creator {
  readonly stage: Stage;
  readonly domid: number;
  readonly name: string;
  commits = 0;
  eagains = 0;
  /** Most EAGAINs before a commit. */
  eagainsInRow = 0;
  longestStartMilliseconds = 0;
  #streak = 0;
  #exists = false;
  #path: string;

  constructor(stage: Stage, domid = 0) {
    this.stage = stage;
    this.domid = domid;
    this.name = stage.nextName();
    this.#path = `${DIRECTORY}/${this.name}`;
  }

  /** As often as `goesOn` says; each transaction is tried until it is applied. Ends early when the connection does. */
  async run(client: SynchronousClient, goesOn: () => boolean): Promise<void> {
    try {
      while (goesOn()) {
        while (!(await this.#attempt(client)));
        await this.stage.think(1);
      }
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
    } finally {
      this.longestStartMilliseconds = client.longestStartMilliseconds;
    }
  }

  /** As `run`, on a connection of its own. */
  async live(goesOn: () => boolean): Promise<void> {
    await this.run(await connectSynchronously(this.stage.world, this.domid), goesOn);
  }

  /** Forgets what was counted. */
  reset(): void {
    this.commits = 0;
    this.eagains = 0;
    this.eagainsInRow = 0;
  }

  async #attempt(client: SynchronousClient): Promise<boolean> {
    const { stage } = this;
    const txId = await client.start();
    await stage.think(0.2);
    await client.ask("DIRECTORY", { path: DIRECTORY }, txId);
    await stage.think(0.2);
    if (this.#exists) await client.ask("RM", { path: this.#path }, txId);
    else await client.ask("WRITE", { path: this.#path, value: "" }, txId);
    await stage.think(0.2);
    const reply = await client.ask("TRANSACTION_END", { commit: true }, txId);
    if ("error" in reply) {
      expect(["EAGAIN", "EIO"]).toContain(reply.error);
      if (reply.error === "EAGAIN") {
        this.eagains++;
        this.eagainsInRow = Math.max(this.eagainsInRow, ++this.#streak);
      }
      return false;
    }
    this.#exists = !this.#exists;
    this.#streak = 0;
    this.commits++;
    return true;
  }
}

function sum(creators: readonly Creator[], count: (creator: Creator) => number): number {
  return creators.reduce((total, creator) => total + count(creator), 0);
}

/** Most commits of one over least commits of one. */
function unfairness(creators: readonly Creator[]): number {
  const commits = creators.map((creator) => creator.commits);
  return Math.max(...commits) / Math.min(...commits);
}

/** Runs creators for some time, with a while before it in which they come to know each other. */
async function contend(stage: Stage, creators: readonly Creator[], milliseconds: number): Promise<void> {
  const begin = stage.now + 100;
  const end = begin + milliseconds;
  const lives = creators.map((creator) => creator.live(() => stage.now < end));
  await stage.world.runUntil(stage.world.scheduler.delay(begin - stage.now));
  for (const creator of creators) creator.reset();
  await stage.world.runUntil(Promise.all(lives));
}

async function staged(worldSeed: number, { guests = [] as readonly number[], takesTurns = true } = {}): Promise<Stage> {
  const stage = new Stage(worldSeed, takesTurns);
  await stage.world.runUntil(stage.setUp(guests));
  return stage;
}

describe("Clients whose transactions all contend", () => {
  test.each([2, 10, 100])("waste less than a fifth: %i of dom0", { timeout: 120_000 }, async (count) => {
    const waste: Record<string, number> = {};
    for (const takesTurns of [false, true]) {
      const stage = await staged(seed(), { takesTurns });
      const creators = Array.from({ length: count }, () => new Creator(stage));
      await contend(stage, creators, takesTurns ? 1000 : 200);
      const commits = sum(creators, (each) => each.commits);
      waste[String(takesTurns)] = sum(creators, (each) => each.eagains) / commits;
      if (!takesTurns) continue;
      expect(commits).toBeGreaterThan(700);
      expect(unfairness(creators), "some have many more turns than others").toBeLessThanOrEqual(2);
      for (const { eagainsInRow, longestStartMilliseconds } of creators) {
        expect(eagainsInRow).toBeLessThanOrEqual(3);
        expect(longestStartMilliseconds).toBeLessThanOrEqual(START_MILLISECONDS_MAX);
      }
    }
    expect(waste["true"]).toBeLessThan(0.05);
    expect(waste["false"], "there is nothing to avoid").toBeGreaterThan(count === 2 ? 0.2 : 2);
  });

  test("waste little and have equal shares, be they dom0's or guests' or of both", async () => {
    const stage = await staged(seed(), { guests: [1, 2, 3, 4] });
    const dom0 = Array.from({ length: 4 }, () => new Creator(stage));
    const guests = [1, 2, 3, 4].map((domid) => new Creator(stage, domid));
    const all = [...dom0, ...guests];
    await contend(stage, all, 1000);
    expect(sum(all, (each) => each.eagains) / sum(all, (each) => each.commits)).toBeLessThan(0.2);
    expect(unfairness(dom0)).toBeLessThanOrEqual(2);
    expect(unfairness(guests)).toBeLessThanOrEqual(2);
    expect(unfairness(all)).toBeLessThanOrEqual(2);
  });

  test("give dom0 every other turn, however many connections guests have", async () => {
    const stage = await staged(seed(), { guests: [1, 2] });
    const dom0 = new Creator(stage);
    const guests = Array.from({ length: 20 }, (_, index) => new Creator(stage, 1 + (index % 2)));
    await contend(stage, [dom0, ...guests], 1000);
    expect(dom0.commits / sum(guests, (each) => each.commits)).toBeGreaterThan(0.3);
    // One turn of a guest at most, which may be one that is held for conflict fairness.
    expect(dom0.longestStartMilliseconds).toBeLessThan(GUEST_PATIENCE.turnMilliseconds + CHECK_MILLISECONDS);
  });
});

/** Starts a transaction in the line of those who contend and then does nothing for a while, again and again. */
async function idle(stage: Stage, domid: number, goesOn: () => boolean): Promise<void> {
  const client = await connectSynchronously(stage.world, domid);
  const creator = new Creator(stage, domid);
  while (goesOn()) {
    // It must commit or fail once to contend.
    let isFirst = true;
    await creator.run(client, () => {
      const isFirstTime = isFirst;
      isFirst = false;
      return isFirstTime;
    });
    const txId = await client.start();
    await client.ask("DIRECTORY", { path: DIRECTORY }, txId);
    await stage.world.scheduler.delay(300);
    await client.ask("TRANSACTION_END", { commit: false }, txId);
  }
  client.close();
}

describe("A guest that opens transactions and idles", () => {
  test("takes little from dom0, on however many connections", async () => {
    const commits: number[] = [];
    for (const idlers of [0, 8]) {
      const stage = await staged(seed(), { guests: [1] });
      const creators = Array.from({ length: 3 }, () => new Creator(stage));
      const end = stage.now + 3100;
      const idling = Array.from({ length: idlers }, () => idle(stage, 1, () => stage.now < end));
      await contend(stage, creators, 3000);
      await stage.world.runUntil(Promise.all(idling));
      commits.push(sum(creators, (each) => each.commits));
      for (const { longestStartMilliseconds } of creators) {
        const othersTurns = 3 * 5;
        expect(longestStartMilliseconds).toBeLessThan(
          GUEST_PATIENCE.turnMilliseconds + CHECK_MILLISECONDS + othersTurns,
        );
      }
    }
    const [alone = 0, beside = 0] = commits;
    expect(beside / alone).toBeGreaterThan(0.9);
  });
});

/** Has several transactions open on one connection, which contend with everybody's and with each other. */
async function interleave(stage: Stage, rounds: number): Promise<number> {
  const client = await connectSynchronously(stage.world);
  let commits = 0;
  for (let round = 0; round < rounds; round++) {
    const transactions: number[] = [];
    for (let count = 0; count < 3; count++) {
      transactions.push(await client.start());
      await stage.think(0.2);
    }
    for (const txId of transactions) {
      await client.ask("DIRECTORY", { path: DIRECTORY }, txId);
      await client.ask("WRITE", { path: `${DIRECTORY}/${stage.nextName()}`, value: "" }, txId);
    }
    for (const txId of transactions) {
      if ("payload" in (await client.ask("TRANSACTION_END", { commit: true }, txId))) commits++;
    }
  }
  client.close();
  return commits;
}

/** Contends for a time, and closes its connection whatever is under way. */
async function die(stage: Stage, domid: number): Promise<void> {
  const client = await connectSynchronously(stage.world, domid);
  const living = new Creator(stage, domid).run(client, () => true);
  await stage.think(30);
  client.close();
  await living;
}

/** Reads and changes what nobody else does; resolves to how long its longest START was under way. */
async function keepToItself(stage: Stage, goesOn: () => boolean): Promise<number> {
  const client = await connectSynchronously(stage.world);
  const path = `/alone/${stage.nextName()}`;
  while (goesOn()) {
    const txId = await client.start();
    await client.ask("READ", { path }, txId);
    await client.ask("WRITE", { path, value: String(stage.now) }, txId);
    expect(await client.ask("TRANSACTION_END", { commit: true }, txId)).not.toEqual({ error: "EAGAIN" });
    await stage.think(2);
  }
  client.close();
  return client.longestStartMilliseconds;
}

describe("All kinds of clients at once", () => {
  test(
    "nobody waits for ever, nor too long, and who does not contend waits for nobody",
    { timeout: 240_000 },
    async () => {
      for (let worldSeed = seed(); worldSeed < seed() + SEEDS; worldSeed++) {
        const stage = await staged(worldSeed, { guests: [1, 2, 3] });
        stage.journalFailsOnceIn = 20;
        const creators = Array.from(
          { length: 2 + stage.random.below(12) },
          (_, index) => new Creator(stage, index % 4),
        );
        const end = stage.now + 500;
        const goesOn = () => stage.now < end;
        // Each goes on until it has committed so often: where anybody waited for ever, nothing could happen any more.
        const lives = creators.map((creator) => creator.live(() => goesOn() || creator.commits < 3));
        const idlers = [0, 1].map((domid) => idle(stage, domid, goesOn));
        const dying = Array.from({ length: 10 }, (_, index) => die(stage, index % 4));
        const rounds = interleave(stage, 3);
        const alone = keepToItself(stage, goesOn);
        await stage.world.runUntil(Promise.all([...lives, ...idlers, ...dying, rounds]));
        const message = `SEED=${String(worldSeed)}`;
        for (const { longestStartMilliseconds, eagainsInRow } of creators) {
          expect(longestStartMilliseconds, message).toBeLessThanOrEqual(START_MILLISECONDS_MAX);
          expect(eagainsInRow, message).toBeLessThan(30);
        }
        expect(await stage.world.runUntil(alone), message).toBeLessThan(1);
        expect(stage.world.turnCounters, message).toMatchObject({ waiting: 0 });
        expect(stage.world.turnCounters?.turns, message).toBeGreaterThan(0);
      }
    },
  );
});

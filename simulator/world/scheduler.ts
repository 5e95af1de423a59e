/**
 * Virtual time, and the order of everything that happens in it.
 *
 * Owns what can happen next: a chunk arrives at one end of a connection, the daemon's next turn, a timer. Invariants:
 *
 * 1. One thing happens at a time, and nothing else before all that follows from it at once (every promise that can settle
 *    has settled).
 * 2. What happens next is chosen by the seed alone among all that can happen now; what one lane has comes in its order.
 * 3. Time stands still while anything can happen, but for a microsecond for each thing, so that no two commits have one
 *    time; it then goes to the next timer. So a run takes as long as its work, however long its delays are.
 */
import type { Clock } from "../../daemon/platform/clock.js";
import type { Timer, Timers } from "../../daemon/platform/timers.js";
import type { Random } from "./random.js";

/** What can happen in an order of its own: one direction of a connection. */
export class Lane {
  readonly #things: (() => void)[] = [];

  get isEmpty(): boolean {
    return this.#things.length === 0;
  }

  push(thing: () => void): void {
    this.#things.push(thing);
  }

  shift(): (() => void) | undefined {
    return this.#things.shift();
  }

  clear(): void {
    this.#things.length = 0;
  }
}

interface VirtualTimer extends Timer {
  readonly dueMicroseconds: number;
  readonly order: number;
  readonly callback: () => void;
  isOver: boolean;
}

/** 2026-01-01: any moment would do, as long as it is always the same. */
const START_MICROSECONDS = 1_767_225_600_000_000;

/** Runs a world. */
export class Scheduler implements Timers, Clock {
  readonly #random: Random;
  /** Those with something in them. */
  readonly #lanes: Lane[] = [];
  readonly #timers: VirtualTimer[] = [];
  #timersMade = 0;
  #elapsedMicroseconds = 0;
  #steps = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How many things have happened. */
  get steps(): number {
    return this.#steps;
  }

  nowMicroseconds(): number {
    return START_MICROSECONDS + this.#elapsedMicroseconds;
  }

  monotonicMilliseconds(): number {
    return this.#elapsedMicroseconds / 1000;
  }

  inNextTurn(callback: () => void): void {
    const lane = new Lane();
    this.add(lane, callback);
  }

  after(milliseconds: number, callback: () => void): Timer {
    const timer: VirtualTimer = {
      dueMicroseconds: this.#elapsedMicroseconds + Math.max(0, Math.ceil(milliseconds * 1000)),
      order: this.#timersMade++,
      callback,
      isOver: false,
      cancel: () => {
        timer.isOver = true;
      },
    };
    this.#timers.push(timer);
    return timer;
  }

  /** Resolves after this time; rejects with the signal's reason when that is aborted before. */
  async delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      signal?.throwIfAborted();
      const abort = (): void => {
        timer.cancel();
        reject(signal?.reason as Error);
      };
      const timer = this.after(milliseconds, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets something happen in its lane's order. */
  add(lane: Lane, thing: () => void): void {
    if (lane.isEmpty) this.#lanes.push(lane);
    lane.push(thing);
  }

  /** Forgets what a lane has. */
  clear(lane: Lane): void {
    lane.clear();
    const index = this.#lanes.indexOf(lane);
    if (index !== -1) this.#takeLane(index);
  }

  /**
   * Runs until `isOver`, asked after each thing, or until nothing can happen any more.
   *
   * @returns whether it is over; false when nothing can happen and it is not
   */
  async run(isOver: () => boolean): Promise<boolean> {
    await settle(this.#steps);
    while (!isOver()) {
      const thing = this.#next();
      if (thing === undefined) return false;
      this.#steps++;
      this.#elapsedMicroseconds++;
      thing();
      await settle(this.#steps);
    }
    return true;
  }

  /** Runs until nothing can happen without time going on. */
  async runUntilQuiet(): Promise<void> {
    await settle(this.#steps);
    await this.run(() => this.#lanes.length === 0);
  }

  #next(): (() => void) | undefined {
    if (this.#lanes.length === 0) {
      const timer = this.#takeTimer();
      if (timer === undefined) return undefined;
      this.#elapsedMicroseconds = Math.max(this.#elapsedMicroseconds, timer.dueMicroseconds);
      return timer.callback;
    }
    const index = this.#random.below(this.#lanes.length);
    const lane = this.#lanes[index];
    const thing = lane?.shift();
    if (lane?.isEmpty === true) this.#takeLane(index);
    return thing;
  }

  /** The order of lanes means nothing, so the last one takes the place. */
  #takeLane(index: number): void {
    const last = this.#lanes.pop();
    if (last !== undefined && index < this.#lanes.length) this.#lanes[index] = last;
  }

  /** The timer that is due first. There are few: those of delays and timeouts. */
  #takeTimer(): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    let kept = 0;
    for (const timer of this.#timers) {
      if (timer.isOver) continue;
      this.#timers[kept++] = timer;
      if (first === undefined || isBefore(timer, first)) first = timer;
    }
    this.#timers.length = kept;
    if (first !== undefined) first.isOver = true;
    return first;
  }
}

function isBefore(left: VirtualTimer, right: VirtualTimer): boolean {
  if (left.dueMicroseconds !== right.dueMicroseconds) return left.dueMicroseconds < right.dueMicroseconds;
  return left.order < right.order;
}

/** The event loop turns after so many things, for whatever else the process has to do. */
const THINGS_PER_TURN = 256;

/**
 * Lets every promise settle that can: microtasks run to their end before the next tick's queue does. Nothing in a world
 * uses that queue or the event loop, whose turn costs more than most things that happen.
 */
async function settle(step: number): Promise<void> {
  await new Promise((resolve) => {
    if (step % THINGS_PER_TURN === 0) setImmediate(resolve);
    else process.nextTick(resolve);
  });
}

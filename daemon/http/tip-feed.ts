/**
 * When a branch has new commits, for all who wait for them.
 *
 * Owns the looking: one question to the branch's thread each tenth of a second while anybody waits, however many they are, and a
 * flush where there is something new. Where the history cannot be brought so far, whoever waits goes on waiting. With nobody
 * waiting it does nothing.
 */
import type { Seq } from "../../protocol/identifiers.js";
import type { CoreLink } from "./messages.js";

const LOOK_MILLISECONDS = 100;
/** A flush seals a pack: so often at most. */
const FLUSH_MILLISECONDS = 250;

interface Waiting {
  readonly after: Seq;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Looks at one branch. */
export class TipFeed {
  readonly #branch: string;
  readonly #link: CoreLink;
  readonly #waiting = new Set<Waiting>();
  /** All commits up to this one are sealed. */
  #flushed = 0 as Seq;
  #isLooking = false;

  /** @param link - asks the thread that serves the branch */
  constructor(branch: string, link: CoreLink) {
    this.#branch = branch;
    this.#link = link;
  }

  /**
   * Resolves when the branch has, sealed, a commit behind this one, and when `signal` is aborted.
   *
   * @throws where the branch is not served
   */
  async wait(after: Seq, signal: AbortSignal): Promise<void> {
    if (this.#flushed > after || signal.aborted) return;
    let waiting: Waiting | undefined;
    const isOver = new Promise<void>((resolve, reject) => {
      waiting = { after, resolve, reject };
      this.#waiting.add(waiting);
      signal.addEventListener("abort", () => {
        resolve();
      });
    });
    void this.#look();
    try {
      await isOver;
    } finally {
      if (waiting !== undefined) this.#waiting.delete(waiting);
    }
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#waiting.size > 0) {
        const seq = await this.#link.ask("seq", undefined);
        const isNew = seq > this.#flushed;
        if (isNew) {
          const { behind } = await this.#link.ask("flush", [this.#branch]);
          if (behind === undefined) this.#flushed = seq;
        }
        for (const { after, resolve } of this.#waiting) if (this.#flushed > after) resolve();
        await new Promise((resolve) => setTimeout(resolve, isNew ? FLUSH_MILLISECONDS : LOOK_MILLISECONDS));
      }
    } catch (error) {
      for (const { reject } of this.#waiting) reject(error);
    } finally {
      this.#isLooking = false;
    }
  }
}

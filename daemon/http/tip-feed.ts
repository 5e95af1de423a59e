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
/** A flush seals a pack, and ends a rest of the recorder: so often at most. */
const FLUSH_MILLISECONDS = 500;

interface Waiting {
  readonly after: Seq;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
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
   * Resolves when the branch has, sealed, a commit behind this one; after so long at the latest, and when `ended` is aborted.
   *
   * @throws where the branch is not served
   */
  wait(after: Seq, milliseconds: number, ended: AbortSignal): Promise<void> {
    if (ended.aborted) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.#waiting.delete(waiting);
        clearTimeout(timer);
        ended.removeEventListener("abort", stop);
        settle();
      };
      const stop = (): void => {
        end(resolve);
      };
      const fail = (error: Error): void => {
        end(() => {
          reject(error);
        });
      };
      const waiting: Waiting = { after, resolve: stop, reject: fail };
      const timer = setTimeout(stop, milliseconds);
      ended.addEventListener("abort", stop);
      this.#waiting.add(waiting);
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      while (this.#waiting.size > 0) {
        const seq = await this.#link.ask("seq", undefined);
        // A fork that was deleted and made again begins anew.
        if (seq < this.#flushed) this.#flushed = 0 as Seq;
        const isNew = seq > this.#flushed;
        if (isNew) {
          const { behind } = await this.#link.ask("flush", [this.#branch]);
          if (behind === undefined) this.#flushed = seq;
        }
        for (const { after, resolve } of this.#waiting) if (this.#flushed > after) resolve();
        await new Promise((resolve) => setTimeout(resolve, isNew ? FLUSH_MILLISECONDS : LOOK_MILLISECONDS));
      }
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const { reject } of this.#waiting) reject(reason);
    } finally {
      this.#isLooking = false;
    }
  }
}

/**
 * Questions that change faster than they are answered, as while somebody drags the cursor through time.
 *
 * Owns that one is under way at a time, and that the next one is the newest: whatever was wanted meanwhile is never asked. The last
 * answer stays until there is another, so that a page moves instead of flickering.
 */

/** Asks one thing after the other. */
export class Latest<Answer> {
  readonly #told: (loaded: Loaded<Answer>) => void;
  #wanted: Wanted<Answer> | undefined;
  #underWay: AbortController | undefined;
  #loaded: Loaded<Answer> = NOTHING_LOADED;
  #hasEnded = false;

  /** @param told - of each change */
  constructor(told: (loaded: Loaded<Answer>) => void) {
    this.#told = told;
  }

  /** Asks this as soon as what is under way has been answered, unless something else is wanted by then. */
  want(key: string, load: Load<Answer>): void {
    this.#wanted = { key, load };
    if (this.#underWay === undefined) void this.#goOn();
  }

  /** Asks nothing more, and tells nothing more. */
  end(): void {
    this.#hasEnded = true;
    this.#wanted = undefined;
    this.#underWay?.abort();
  }

  async #goOn(): Promise<void> {
    for (let wanted = this.#take(); wanted !== undefined; wanted = this.#take()) {
      this.#underWay = new AbortController();
      this.#tell({ ...this.#loaded, isLoading: true });
      const { key, load } = wanted;
      try {
        const answer = await load(this.#underWay.signal);
        this.#tell({ answer, key, error: undefined, isLoading: this.#wanted !== undefined });
      } catch (error) {
        this.#tell({ ...this.#loaded, key, error, isLoading: this.#wanted !== undefined });
      }
    }
    this.#underWay = undefined;
  }

  #take(): Wanted<Answer> | undefined {
    const wanted = this.#wanted;
    this.#wanted = undefined;
    return wanted;
  }

  #tell(loaded: Loaded<Answer>): void {
    this.#loaded = loaded;
    if (!this.#hasEnded) this.#told(loaded);
  }
}

interface Wanted<Answer> {
  readonly key: string;
  readonly load: Load<Answer>;
}

/** Asks once; it is told when nobody waits for the answer any more. */
export type Load<Answer> = (ended: AbortSignal) => Promise<Answer>;

/** What there is of an answer. */
export interface Loaded<Answer> {
  /** The last answer, perhaps of another key. */
  readonly answer: Answer | undefined;
  /** What was answered, or refused, last. */
  readonly key: string | undefined;
  /** Why the last question was refused; undefined where it was answered. */
  readonly error: unknown;
  readonly isLoading: boolean;
}

/** Before anything was asked. */
export const NOTHING_LOADED = { answer: undefined, key: undefined, error: undefined, isLoading: true } as const;

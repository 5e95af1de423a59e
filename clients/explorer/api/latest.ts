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
  /** Counts what was wanted. */
  #asked = 0;
  readonly #retry: Retry;

  /** @param told - of each change @param retry - what is asked again, and when; nothing unless given */
  constructor(told: (loaded: Loaded<Answer>) => void, retry: Retry = NEVER) {
    this.#told = told;
    this.#retry = retry;
  }

  /** Asks this as soon as what is under way has been answered, unless something else is wanted by then. */
  want(key: string, load: Load<Answer>): void {
    this.#wanted = { key, load, number: ++this.#asked };
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
        this.#tell({ ...this.#loaded, error, isLoading: this.#wanted !== undefined });
        if (this.#retry.mayPass(error)) void this.#askAgain(wanted);
      }
    }
    this.#underWay = undefined;
  }

  /** Asks once more, unless something else was wanted by then. */
  async #askAgain({ key, load, number }: Wanted<Answer>): Promise<void> {
    await this.#retry.wait();
    if (this.#asked === number && !this.#hasEnded) this.want(key, load);
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

/** What is asked again. */
export interface Retry {
  /** Whether the same question may be answered a moment later. */
  readonly mayPass: (error: unknown) => boolean;
  /** Until then. */
  readonly wait: () => Promise<void>;
}

const NEVER: Retry = { mayPass: () => false, wait: () => Promise.resolve() };

interface Wanted<Answer> {
  readonly key: string;
  readonly load: Load<Answer>;
  readonly number: number;
}

/** Asks once; it is told when nobody waits for the answer any more. */
export type Load<Answer> = (ended: AbortSignal) => Promise<Answer>;

/** What there is of an answer. */
export interface Loaded<Answer> {
  /** The last answer, perhaps of another key. */
  readonly answer: Answer | undefined;
  /** What it is the answer to. */
  readonly key: string | undefined;
  /** Why the last question was refused; undefined where it was answered. */
  readonly error: unknown;
  readonly isLoading: boolean;
}

/** Before anything was asked. */
export const NOTHING_LOADED = { answer: undefined, key: undefined, error: undefined, isLoading: true } as const;

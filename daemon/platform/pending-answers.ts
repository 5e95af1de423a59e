/**
 * Questions that were sent to another thread, until it answers.
 *
 * Owns their numbers. Each is answered once, in any order.
 */

interface Waiting {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/** The questions that wait. */
export class PendingAnswers {
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;

  /** Sends a question under a number of its own; settles when that is answered. */
  ask(send: (id: number) => void): Promise<never> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve, reject });
      send(id);
    });
  }

  /** Takes an answer. */
  resolve(id: number, answer: unknown): void {
    this.#take(id)?.resolve(answer as never);
  }

  /** Takes the word that there is none. */
  reject(id: number, error: Error): void {
    this.#take(id)?.reject(error);
  }

  /** Nobody will answer any more. */
  rejectAll(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #take(id: number): Waiting | undefined {
    const asked = this.#waiting.get(id);
    this.#waiting.delete(id);
    return asked;
  }
}

/**
 * The undo log of a tick: how the mutable state of the core returns to an earlier moment.
 *
 * Owns a stack of inverse actions. Whoever changes connections, watches or transactions pushes the inverse of what was
 * done. A handler that throws is undone to the start of its request; a tick whose commits could not be written to the
 * journal is undone as a whole and dispatched again with commits refused.
 */

/** Inverse actions, newest last. */
export class UndoLog {
  #actions: (() => void)[] = [];

  /** Remembers how to undo what was just done. */
  push(undo: () => void): void {
    this.#actions.push(undo);
  }

  /** A moment to return to. */
  mark(): number {
    return this.#actions.length;
  }

  /** Undoes everything since the mark, newest first. */
  rewind(mark: number): void {
    while (this.#actions.length > mark) this.#actions.pop()?.();
  }

  /** Forgets everything: what was done stands. */
  clear(): void {
    this.#actions = [];
  }
}

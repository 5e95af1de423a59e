/**
 * What can go wrong with the journal, as errors.
 */
import { messageOf } from "../platform/error-message.js";

/** An append failed. The journal is as it was before the call and the next append may work (journal invariant 3). */
export class JournalAppendError extends Error {
  override readonly name: string = "JournalAppendError";

  /** @param cause - what the file system said */
  constructor(message: string, cause: unknown) {
    super(`${message}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The journal takes no more commits until the daemon is started again (journal invariant 4): an append failed and could
 * not be taken back, or a sync failed. Thrown by the call that met the failure and by every append after it.
 */
export class JournalStuckError extends JournalAppendError {
  override readonly name = "JournalStuckError";
}

/** Where something is wrong in a journal. */
export interface JournalPlace {
  /** Absolute path of the segment. */
  readonly file: string;
  /** Byte offset of the bad line in it. */
  readonly offset: number;
}

/** The journal holds something that no crash explains. Nothing was changed: a person has to look at it. */
export class DamagedJournalError extends Error {
  override readonly name = "DamagedJournalError";
  readonly file: string;
  readonly offset: number;
  /** What is wrong there. */
  readonly reason: string;

  /**
   * @param reason - what is wrong there, as a sentence about "the journal"
   * @param remedy - what a person can do, as whole sentences
   */
  constructor({ file, offset }: JournalPlace, reason: string, remedy?: string) {
    super(
      `the journal is damaged at ${file}, byte ${String(offset)}: ${reason}${remedy === undefined ? "" : `. ${remedy}`}`,
    );
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** The journal is in a version of its format that this daemon does not read. Nothing was changed. */
export class ForeignJournalError extends Error {
  override readonly name = "ForeignJournalError";

  /** @param reason - which version it is in, as a sentence about the file */
  constructor({ file, directory }: { readonly file: string; readonly directory: string }, reason: string) {
    super(
      `${file} was written by another version of the daemon: ${reason}. Nothing was changed. Start that version on this state ` +
        `directory once more and stop it with SIGTERM, so that the history holds every commit; then move ${directory} aside ` +
        "and start this one",
    );
  }
}

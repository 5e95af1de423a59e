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

/** The journal holds something that no crash explains. Nothing was changed: a person has to look at it. */
export class DamagedJournalError extends Error {
  override readonly name = "DamagedJournalError";
  /** Absolute path of the segment. */
  readonly file: string;
  /** Byte offset of the bad line in it. */
  readonly offset: number;

  /** @param reason - what is wrong there, as a sentence about "the journal" */
  constructor(at: { readonly file: string; readonly offset: number }, reason: string) {
    super(`the journal is damaged at ${at.file}, byte ${String(at.offset)}: ${reason}`);
    this.file = at.file;
    this.offset = at.offset;
  }
}

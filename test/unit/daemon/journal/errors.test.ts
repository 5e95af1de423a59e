import { describe, expect, it } from "vitest";
import {
  DamagedJournalError,
  ForeignJournalError,
  JournalAppendError,
  JournalStuckError,
} from "../../../../daemon/journal/errors.js";

describe("JournalAppendError", () => {
  it("says what the file system said and keeps it as its cause", () => {
    const cause = new Error("ENOSPC: no space left on device");
    const error = new JournalAppendError("the journal could not be written", cause);
    expect(error.message).toBe("the journal could not be written: ENOSPC: no space left on device");
    expect([error.cause, error.name]).toEqual([cause, "JournalAppendError"]);
  });

  it("is also what JournalStuckError is, so that who catches failed appends catches both", () => {
    const error = new JournalStuckError("stuck", "why");
    expect(error).toBeInstanceOf(JournalAppendError);
    expect([error.message, error.name]).toEqual(["stuck: why", "JournalStuckError"]);
  });
});

describe("DamagedJournalError", () => {
  it("names file and offset, in its message too", () => {
    const error = new DamagedJournalError({ file: "/state/x.journal", offset: 81 }, "commit 3 occurs twice");
    expect(error).toMatchObject({ file: "/state/x.journal", offset: 81, name: "DamagedJournalError" });
    expect(error.message).toBe("the journal is damaged at /state/x.journal, byte 81: commit 3 occurs twice");
    expect(error.reason).toBe("commit 3 occurs twice");
  });

  it("says what a person can do", () => {
    const error = new DamagedJournalError({ file: "/x", offset: 0 }, "commit 3 occurs twice", "Restore it");
    expect(error.message).toBe("the journal is damaged at /x, byte 0: commit 3 occurs twice. Restore it");
  });
});

describe("ForeignJournalError", () => {
  it("names the file and says what to do", () => {
    const error = new ForeignJournalError({ file: "/j/1.journal", directory: "/j" }, "it is in version 9");
    expect(error.message).toBe(
      "/j/1.journal was written by another version of the daemon: it is in version 9. Nothing was changed. Start that version on " +
        "this state directory once more and stop it with SIGTERM, so that the history holds every commit; then move /j aside " +
        "and start this one",
    );
  });
});

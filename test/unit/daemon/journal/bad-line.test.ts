import { describe, expect, it } from "vitest";
import type { Seq } from "../../../../protocol/identifiers.js";
import { mayHoldLaterCommit, sealedBeginning } from "../../../../daemon/journal/bad-line.js";
import { encodeRecord } from "../../../../daemon/journal/record.js";
import { commitAt, fullCommit } from "./sample-commits.js";

const line = (seq: number): string => encodeRecord(commitAt(seq)).slice(0, -1);

describe("sealedBeginning", () => {
  it("finds a whole record with something behind it, whatever is in the record and whatever follows", () => {
    for (const whole of [line(7), encodeRecord(fullCommit(9)).slice(0, -1)]) {
      for (const rest of ["\x0b", "}", "\0\0", "\xff", line(8), "\x0b" + line(8)]) {
        expect(sealedBeginning(whole + rest)).toBe(whole.length);
      }
    }
  });

  it("finds none in a beginning of a record, the whole of it included, nor in one with a flipped bit", () => {
    const whole = line(7);
    for (let length = 0; length <= whole.length; length++) {
      expect(sealedBeginning(whole.slice(0, length))).toBeUndefined();
    }
    for (const [from, to] of [
      ["socket-17", "socket-37"],
      [whole.slice(0, 8), "00000000"],
    ] as const) {
      expect(sealedBeginning(`${whole.replace(from, to)}\x0b`)).toBeUndefined();
    }
    expect(sealedBeginning("")).toBeUndefined();
    expect(sealedBeginning("\0".repeat(100))).toBeUndefined();
  });
});

describe("mayHoldLaterCommit", () => {
  const asks = (text: string, after: number, followsBadLine = false) =>
    mayHoldLaterCommit(text, { after: after as Seq, followsBadLine });

  it("is true where a second record begins with a seq after `after`", () => {
    expect(asks(`${line(7)}\x0b${line(8)}`, 7)).toBe(true);
    expect(asks(`${line(7)}\x0b${line(8)}`, 8)).toBe(false);
  });

  it("does not believe the line's own seq, unless the line before is bad too", () => {
    const damaged = line(5).replace('"seq":5', '"seq":7');
    expect(asks(damaged, 5)).toBe(false);
    expect(asks(damaged, 5, true)).toBe(true);
    expect(asks(line(5), 5, true)).toBe(false);
  });

  it("is not deceived by a value that looks like a record", () => {
    const value = encodeRecord(commitAt(5, '{"seq":99,"time":1}')).slice(0, -1);
    expect(asks(value.replace("socket", "sockft"), 5)).toBe(false);
  });
});

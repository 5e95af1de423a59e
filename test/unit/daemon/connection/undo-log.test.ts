/**
 * The undo log: inverse actions, newest first.
 */
import { describe, expect, test } from "vitest";
import { UndoLog } from "../../../../daemon/connection/undo-log.js";

describe("UndoLog", () => {
  test("undoes what came after a mark, newest first, once", () => {
    const undone: number[] = [];
    const log = new UndoLog();
    const push = (number: number) => {
      log.push(() => undone.push(number));
    };
    push(1);
    const mark = log.mark();
    push(2);
    push(3);
    log.rewind(mark);
    expect(undone).toEqual([3, 2]);
    log.rewind(mark);
    push(4);
    log.rewind(0);
    expect(undone).toEqual([3, 2, 4, 1]);
  });

  test("undoes nothing that was cleared", () => {
    const log = new UndoLog();
    log.push(() => {
      throw new Error("was cleared");
    });
    log.clear();
    log.rewind(0);
    expect(log.mark()).toBe(0);
  });
});

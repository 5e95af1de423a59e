import { expect, test } from "vitest";
import { LookSchedule } from "../../../../../daemon/history/repository/look-schedule.js";

test("LookSchedule looks at the first commits, then twice as far on each time, then at every 64th", () => {
  const looks = new LookSchedule();
  const due = Array.from({ length: 260 }, (_, passed) => (looks.isDue() ? [passed] : [])).flat();
  expect(due).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 128, 192, 256]);
});

import { describe, expect, test } from "vitest";
import { parseRevision, RevisionError } from "../../../../../daemon/history/query/revision.js";
import type { Microseconds } from "../../../../../protocol/identifiers.js";

const SECOND = 1_000_000;
/** 2026-11-23T07:10:04.5Z */
const NOW = (Date.UTC(2026, 10, 23, 7, 10, 4, 500) * 1000) as Microseconds;

const parse = (text: string): ReturnType<typeof parseRevision> => parseRevision(text, NOW);

describe("parseRevision", () => {
  test.each([
    ["main", "main"],
    ["refs/tags/v1", "refs/tags/v1"],
    ["9c1185a5", "9c1185a5"],
    ["HEAD", "HEAD"],
    ["@", "HEAD"],
    ["boot-7.try", "boot-7.try"],
  ])("%s is a name", (text, name) => {
    expect(parse(text)).toEqual({ text, start: { kind: "name", name }, before: 0 });
  });

  test.each([
    ["@{1234}", undefined, 1234],
    ["@{0}", undefined, 0],
    ["try@{17}", "try", 17],
    ["feature/x@{17}", "feature/x", 17],
  ])("%s is a seq", (text, branch, seq) => {
    expect(parse(text).start).toEqual({ kind: "seq", branch, seq });
  });

  test.each([
    ["@{now}", 0],
    ["@{5 minutes ago}", 300],
    ["@{1 second ago}", 1],
    ["@{1.5 s ago}", 1.5],
    ["@{90m ago}", 5400],
    ["@{2 hours ago}", 7200],
    ["@{3 days ago}", 259_200],
    ["@{1 week ago}", 604_800],
  ])("%s is %d seconds before now", (text, seconds) => {
    expect(parse(text).start).toEqual({ kind: "time", branch: undefined, time: NOW - seconds * SECOND });
  });

  test.each([
    ["@{2026-11-23T07:10:04.5}", 0],
    ["try@{2026-11-23T07:10:04.500001}", -1],
    ["@{2026-11-23T07:10:04.5000019}", -1],
    ["@{2026-11-23T07:10:04.5Z}", 0],
    ["@{2026-11-23 08:10:04.5+01:00}", 0],
    ["@{2026-11-23T07:10}", 4.5 * SECOND],
    ["@{2026-11-23}", 7 * 3600 * SECOND + 604.5 * SECOND],
  ])("%s is %d microseconds before 07:10:04.5 UTC", (text, microseconds) => {
    expect(parse(text).start).toMatchObject({ kind: "time", time: NOW - microseconds });
  });

  test.each([
    ["main~3", "main", 3],
    ["main~", "main", 1],
    ["main^", "main", 1],
    ["main^^", "main", 2],
    ["main~2~3^", "main", 6],
    ["main^0", "main", 0],
    ["~4", "HEAD", 4],
  ])("%s goes back from its start", (text, name, before) => {
    expect(parse(text)).toEqual({ text, start: { kind: "name", name }, before });
  });

  test("goes back from a seq and from a time", () => {
    expect(parse("@{7}~2")).toMatchObject({ start: { kind: "seq", seq: 7 }, before: 2 });
    expect(parse("@{1 day ago}~")).toMatchObject({ start: { kind: "time" }, before: 1 });
  });

  test.each([
    ["", /an empty revision/],
    ["main^2", /~N goes N commits back/],
    ["@{yesterday}", /"yesterday" is neither a commit's number nor a time: write @\{1234\}/],
    ["@{-1}", /neither a commit's number nor a time/],
    ["@{012}", /neither/],
    ["@{}", /neither/],
    ["@{5 ms ago}", /ms is no unit of time: write seconds, minutes/],
    ["@{5 constructor ago}", /constructor is no unit/],
    ["@{2026-02-30}", /neither/],
    ["@{2026-11-23T25:00}", /neither/],
    ["@{2026-11-23T07:10+99:00}", /neither/],
  ])("%j is refused, and what would be right is said", (text, message) => {
    expect(() => parse(text)).toThrow(RevisionError);
    expect(() => parse(text)).toThrow(message);
  });
});

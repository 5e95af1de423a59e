import { describe, expect, test } from "vitest";
import { entryInWords, offsetInWords, stateInWords } from "../../../../../clients/explorer/boot/entry-words.js";
import { courseOf } from "../../../../../clients/explorer/boot/happenings.js";
import { bracketEntryOf, sceneOf } from "../../../../../clients/explorer/boot/scene.js";
import { BOOT, recordedBoot } from "./recorded-boot.js";

const recording = recordedBoot(BOOT);
const scene = sceneOf(recording, courseOf(recording), { mode: "domain" });
const wordsOf = (what: string): readonly string[] =>
  scene.entries
    .map((entry) => entryInWords(scene, entry))
    .filter((words) => words.what.startsWith(what))
    .map(({ sign, lane, what: text }) => `${sign} ${lane}: ${text}`);

describe("entryInWords", () => {
  test("tells what was asked of what, in which transaction, and what became of it", () => {
    expect(wordsOf("WRITE /local/domain/5/name")).toEqual([
      expect.stringMatching(/^▲ dom0: WRITE \/local\/domain\/5\/name = "web" in transaction \d+$/),
    ]);
    expect(wordsOf("INTRODUCE 5")).toEqual([expect.stringMatching(/^▲ dom0: INTRODUCE 5 .* → commit \d+$/)]);
    expect(wordsOf("READ /tool/xenstored/domid")).toEqual(["✕ dom0: READ /tool/xenstored/domid ✕ ENOENT"]);
    expect(wordsOf("WATCH_EVENT @introduceDomain")[0]).toMatch(/^▼ dom0: /);
  });

  test("tells of a transaction how it ended and on which commit it began", () => {
    expect(wordsOf("transaction")[0]).toMatch(
      /^\[ \] dom0: transaction \d+ of socket-\d+: committed as \d+, began on commit \d+, took/,
    );
  });

  test("tells of a state its number, its name, and how long it lasted", () => {
    expect(wordsOf("vbd/51712 backend: 2")).toEqual([
      expect.stringMatching(/^■ domain 5: vbd\/51712 backend: 2 InitWait, for \d/),
    ]);
  });
});

describe("bracketEntryOf", () => {
  test("is the transaction that a request was in, and none outside of transactions", () => {
    const inside = scene.arrows.find(
      ({ subject, operation }) => operation === "WRITE" && subject === "/local/domain/5/name",
    );
    const outside = scene.arrows.find(({ operation }) => operation === "INTRODUCE");
    if (inside === undefined || outside === undefined) throw new Error("the boot has no such request");
    expect(scene.brackets[bracketEntryOf(scene, inside)?.index ?? -1]).toMatchObject({
      id: inside.tx,
      connection: inside.connection,
    });
    expect(bracketEntryOf(scene, outside)).toBeUndefined();
  });
});

describe("offsetInWords", () => {
  test.each([
    [0, "+0 µs"],
    [999, "+999 µs"],
    [1500, "+1.500 ms"],
    [12_345_678, "+12.345678 s"],
    [-20, "−20 µs"],
  ])("of %d", (microseconds, words) => {
    expect(offsetInWords(microseconds)).toBe(words);
  });
});

describe("stateInWords", () => {
  test("is the number with its name, or the value where it is no state", () => {
    expect([stateInWords("4"), stateInWords("x")]).toEqual(["4 Connected", '"x"']);
  });
});

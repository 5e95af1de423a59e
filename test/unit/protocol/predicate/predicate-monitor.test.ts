import { describe, expect, test } from "vitest";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { PredicateMonitor } from "../../../../protocol/predicate/predicate-monitor.js";
import { stateOf } from "../../../support/states.js";

/** One letter for each commit: the state has `/a`, `/b` or (`-`) neither. The answers, a letter for each: `Y` or `.`. */
function follow(text: string, history: string): string {
  const monitor = new PredicateMonitor(parsePredicate(text));
  return [...history.split("")]
    .map((letter) => (monitor.next(stateOf(letter === "-" ? {} : { [`/${letter}`]: "" })) ? "Y" : "."))
    .join("");
}

describe("PredicateMonitor", () => {
  test.each<[text: string, history: string, answers: string]>([
    ["exists /a", "ab-a", "Y..Y"],
    ["exists /a for 1 commit", "ab-a", "Y..Y"],
    ["exists /a for 3 commits", "aaaaabaaa", "..YYY...Y"],
    ["not exists /a for 3 commits", "aaab", "YY.Y"],
    ["(not exists /a) for 2 commits", "-b-ab-", ".YY..Y"],
    ["exists /a for 2 commits or exists /b for 2 commits", "aabba", ".Y.Y."],
    ["(exists /a for 2 commits) for 3 commits", "aaaaab", "...YY."],
    ["(not exists /a for 2 commits) for 3 commits", "abaabbb", "..Y...Y"],
    ["(exists /a for 2 commits or exists /b) for 3 commits", "aabbab", "...Y.."],
  ])("%s over %s (invariant 1)", (text, history, answers) => {
    expect(follow(text, history)).toBe(answers);
  });

  test("counts also where another part of the predicate decides (invariant 2)", () => {
    expect(follow("exists /b or (not exists /-) for 3 commits", "bab")).toBe("Y.Y");
    expect(follow("exists /b and (exists /a or exists /b) for 3 commits", "aab")).toBe("..Y");
    expect(follow("exists /b or (exists /a or exists /b) for 4 commits", "abba")).toBe(".YYY");
  });

  test("asks of each state only what the predicate asks", () => {
    const asked: string[] = [];
    const monitor = new PredicateMonitor(parsePredicate("exists /a and exists /b for 2 commits"));
    monitor.next({
      node: (path) => {
        asked.push(path);
        return undefined;
      },
    });
    expect(asked).toEqual(["/b", "/a"]);
  });

  test("two monitors of one predicate do not share their counts", () => {
    const predicate = parsePredicate("exists /a for 2 commits");
    const [one, two] = [new PredicateMonitor(predicate), new PredicateMonitor(predicate)];
    const state = stateOf({ "/a": "" });
    expect([one.next(state), two.next(state), one.next(state), two.next(state)]).toEqual([false, false, true, true]);
  });
});

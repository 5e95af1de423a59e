import { describe, expect, test } from "vitest";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { serializePredicate } from "../../../../protocol/predicate/serialize-predicate.js";

const bindings = new Map([
  ["D", "7"],
  ["BYTES", '\xff $\0"\\'],
]);

describe("serializePredicate", () => {
  test.each<[text: string, canonical: string]>([
    ["exists  /", "exists /"],
    ['exists "/a/vif*/**"', "exists /a/vif*/**"],
    ["exists {{/a}}", "exists {{/a}}"],
    ["exists {/}/c", "exists {/}/c"],
    ["value {/local/domain/$D/vm}/*=4", "value {/local/domain/7/vm}/* = 4"],
    ['value /a != "4"', "value /a != 4"],
    ['value /a = ""', 'value /a = ""'],
    ["value /a = $BYTES", 'value /a = "\\xff \\x24\\x00\\"\\\\"'],
    ["value /a = caf\u00e9", 'value /a = "caf\\xc3\\xa9"'],
    ['value /a = "\\x24D"', 'value /a = "\\x24D"'],
    ['value /a = "a(b"', 'value /a = "a(b"'],
    ['value /a ~ "^a$"', "value /a ~ ^a$"],
    ['value /a ~ "a\\" b(\\\\)"', 'value /a ~ "a\\" b(\\\\)"'],
    ['value /a ~ "a\\nb"', "value /a ~ a\\nb"],
    ['value /a ~ ""', 'value /a ~ ""'],
    ["perms /a = n$D,r0", "perms /a = n7,r0"],
    ["perms /a != b1", "perms /a != b1"],
    ["count /a/*<=3", "count /a/* <= 3"],
    ["same /a {/b}", "same /a {/b}"],
    ["distinct /a/*", "distinct /a/*"],
    ["((exists /a)) for 1 commits", "exists /a for 1 commit"],
    ["(exists /a for 2 commits)for 3 commits", "(exists /a for 2 commits) for 3 commits"],
    ["(exists /a and exists /b) or (not exists /c)", "exists /a and exists /b or not exists /c"],
    ["exists /a and (exists /b or exists /c)", "exists /a and (exists /b or exists /c)"],
    ["(exists /a and exists /b) and exists /c", "(exists /a and exists /b) and exists /c"],
    ["(exists /a or exists /b) or exists /c", "(exists /a or exists /b) or exists /c"],
    ["not (not (exists /a))", "not not exists /a"],
    ["not (exists /a for 2 commits)", "not exists /a for 2 commits"],
    ["(not exists /a) for 2 commits", "(not exists /a) for 2 commits"],
    ["not (exists /a and exists /b)", "not (exists /a and exists /b)"],
    ["not (exists /a or exists /b)", "not (exists /a or exists /b)"],
    ["(exists /a and exists /b) for 2 commits", "(exists /a and exists /b) for 2 commits"],
  ])("%j is %j", (text, canonical) => {
    const predicate = parsePredicate(text, bindings);
    expect(serializePredicate(predicate)).toBe(canonical);
    expect(parsePredicate(canonical)).toEqual(predicate);
  });
});

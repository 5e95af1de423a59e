import { describe, expect, test } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { FAULTS } from "../../../../protocol/predicate/faults.js";
import { NamedPredicateError, parseNamedPredicate } from "../../../../protocol/predicate/named-predicate.js";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";

const SEVEN = 7 as Domid;
const bindings = new Map([["D", "7"]]);

function complaint(given: string, domain?: Domid): string {
  try {
    parseNamedPredicate(given, domain);
  } catch (error) {
    if (error instanceof NamedPredicateError) return error.message;
    throw error;
  }
  throw new Error(`${given} was accepted`);
}

describe("parseNamedPredicate", () => {
  test("takes the name of a fault for its predicate", () => {
    expect(parseNamedPredicate(" hotplug-script-fails\n", SEVEN)).toEqual({
      predicate: parsePredicate(FAULTS["hotplug-script-fails"].predicate, bindings),
      fault: "hotplug-script-fails",
    });
  });

  test("takes anything else for an expression, in which $D is the domain", () => {
    expect(parseNamedPredicate("exists /local/domain/$D", SEVEN)).toEqual({
      predicate: parsePredicate("exists /local/domain/7"),
      fault: undefined,
    });
  });

  test("needs no domain where nothing is said of one", () => {
    expect(parseNamedPredicate("duplicate-name", undefined).fault).toBe("duplicate-name");
    expect(parseNamedPredicate("exists /a", undefined).fault).toBeUndefined();
  });

  test("asks for the domain where it is missing", () => {
    expect(complaint("stale-backend")).toBe("stale-backend is about one domain, $D: say which with --domain");
    expect(complaint("exists /local/domain/$D")).toMatch(/^the predicate is about one domain, \$D/);
  });

  test.each([
    ["hotplug-script-fail", /did you mean hotplug-script-fails\?$/],
    ["hotplug-scirpt-never-ends", /did you mean hotplug-script-never-ends\?$/],
    ["nothing-of-ours", /^"nothing-of-ours" is no fault's name .*: there are node-not-guest-owned, .*acknowledged$/],
    ["exists", /is no fault's name and no expression such as 'exists \/local/],
    ["__proto__", /is no fault's name/],
  ])("says of the word %s what would be right", (word, message) => {
    expect(complaint(word, SEVEN)).toMatch(message);
  });

  test("shows where an expression is wrong", () => {
    expect(complaint("exist /a", SEVEN)).toBe('Column 1: "exist" is no test. Did you mean "exists"?\n  exist /a\n  ^');
    expect(complaint("exists /local/$D/$E", SEVEN)).toMatch(/The variable \$E is not bound\. Bound: \$D\./);
    expect(complaint("exists /$DOMAIN")).toMatch(/The variable \$DOMAIN is not bound/);
  });
});

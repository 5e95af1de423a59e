import { describe, expect, test } from "vitest";
import { parsePredicate } from "../../../../protocol/predicate/parse-predicate.js";
import { pathsRead } from "../../../../protocol/predicate/paths-read.js";
import { stateOf } from "../../../support/states.js";

const state = stateOf({ "/vm": "/vms/1", "/vms/1/base": "/elsewhere", "/bad": "no path" });

describe("pathsRead", () => {
  test.each([
    ["exists /a/b", ["/a/b"]],
    ["exists /", ["/"]],
    ["count /a/*/b > 3", ["/a"]],
    ["exists /**", ["/"]],
    ["not (value /a = 1 and perms /b = n0 or distinct /c/* or value /a ~ x)", ["/a", "/b", "/c"]],
    ["same /a /b for 3 commits", ["/a", "/b"]],
    ["exists {/vm}/name/*", ["/vm", "/vms/1/name"]],
    ["exists {{/vm}/base}/x", ["/vm", "/vms/1/base", "/elsewhere/x"]],
    ["exists {/bad}/name", ["/bad"]],
    ["exists {{/none}/base}/x", ["/none"]],
  ])("of %s are %j", (text, paths) => {
    expect([...pathsRead(parsePredicate(text), state)]).toEqual(paths);
  });
});

import { describe, expect, test } from "vitest";
import { EXIT_USAGE } from "../../../../clients/cli/exit.js";
import { badPerms, parseScript, SCRIPT_USAGES, splitWords } from "../../../../clients/cli/script.js";

describe("splitWords", () => {
  test.each([
    ["", []],
    ["   \t ", []],
    ["# all comment", []],
    ["read /a", ["read", "/a"]],
    ["  read\t/a  # why", ["read", "/a"]],
    ["write /a b#c", ["write", "/a", "b#c"]],
    ["write /a ''", ["write", "/a", ""]],
    ["write /a 'two words # here'", ["write", "/a", "two words # here"]],
    ["write /a 'no \\escape \"'", ["write", "/a", 'no \\escape "']],
    ['write /a "a \\"b\\" \\x41 \\t\'"', ["write", "/a", 'a "b" A \t\'']],
    ["write /a two\\ words", ["write", "/a", "two words"]],
    ["write /a \\#no \\\\ \\'", ["write", "/a", "#no", "\\", "'"]],
    ["write /a a'b c'\"d e\"f", ["write", "/a", "ab cd ef"]],
  ])("%j", (line, words) => {
    expect(splitWords(line)).toEqual(words);
  });

  test.each(["write /a 'open", 'write /a "open', 'write /a "open\\"'])("%j has an open quote", (line) => {
    expect(splitWords(line)).toBeUndefined();
  });
});

describe("parseScript", () => {
  test("keeps the numbers of the lines", () => {
    const lines = parseScript("# head\n\nread /a\r\nwrite /b 1\n", "name");
    expect(lines.map(({ place, command, path }) => [place, command, path])).toEqual([
      ["name:3", "read", "/a"],
      ["name:4", "write", "/b"],
    ]);
  });

  test.each([
    ["write /a 'x", "s:1: a quote is not closed"],
    ["\nfrob /a", 's:2: there is no command "frob"; there are read, write, mkdir, rm, chmod, list, perms, exists'],
    ["read", "s:1: the command is: read PATH"],
    ["write /a", "s:1: the command is: write PATH VALUE"],
    ["write /a b c", "s:1: the command is: write PATH VALUE; put a value with blanks in quotes"],
    ["chmod /a", "s:1: the command is: chmod PATH PERM..."],
    ["chmod /a n0 q5", 's:1: bad permissions "n0 q5": an entry is one of n, r, w, b and a domain id, such as n0 r5'],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseScript(text, "s")).toThrow(expect.objectContaining({ message, exitCode: EXIT_USAGE }) as Error);
  });

  test("every command of the help is one", () => {
    for (const usage of SCRIPT_USAGES) {
      const line = usage.replace("PATH", "/a").replace("VALUE", "v").replace("PERM...", "n0");
      expect(parseScript(line, "s")).toHaveLength(1);
    }
  });
});

describe("badPerms", () => {
  test("says what would be right", () => {
    expect(badPerms(["x"])).toContain("such as n0 r5");
  });
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Path } from "../../../../protocol/identifiers.js";
import { parseListing, type LineNote, type ParsedListing } from "../../../../protocol/listing/parse-listing.js";
import { serializePerms } from "../../../../protocol/perms.js";
import { readListing } from "../../../support/xenstore-listing.js";

/** Each node as text; an implied one in brackets. */
function nodesOf({ nodes }: ParsedListing): string[] {
  return nodes.map(({ path, value, perms, isImplied, isPartial }) => {
    const text = `${path}=${value}${isPartial ? "…" : ""}${perms === undefined ? "" : ` ${serializePerms(perms)}`}`;
    return isImplied ? `[${text}]` : text;
  });
}

function notes(list: readonly LineNote[]): string[] {
  return list.map(({ line, message }) => `${String(line)} ${message}`);
}

/** The nodes of lines that are all of a listing and need no remark. */
function plain(...lines: readonly string[]): string[] {
  const parsed = parseListing(`${lines.join("\n")}\n`);
  expect([notes(parsed.errors), notes(parsed.remarks)]).toEqual([[], []]);
  return nodesOf(parsed);
}

describe("parseListing", () => {
  test("reads whole paths with and without perms", () => {
    expect(plain('/a = "1"   (n0,r5)', '/a/b = ""', '/a/b/c = "x y"   (b7)')).toEqual([
      "/a=1 n0 r5",
      "/a/b=",
      "/a/b/c=x y b7",
    ]);
  });

  test("reads an indented tree with and without perms", () => {
    expect(plain('a = "1" . . . . . . . .   (n0,r5)', ' b = ""', '  c = "2"', ' d = "3"', 'e = "4"   (n0)')).toEqual([
      "/a=1 n0 r5",
      "/a/b=",
      "/a/b/c=2",
      "/a/d=3",
      "/e=4 n0",
    ]);
  });

  test.each(["perms-pvh.txt", "connected-pvh.txt"])("reads a real listing: %s", (file) => {
    const text = readFileSync(new URL(`../../../fixtures/xenstore-ls/${file}`, import.meta.url), "latin1");
    const parsed = parseListing(text);
    expect([notes(parsed.errors), notes(parsed.remarks)]).toEqual([[], []]);
    const found = parsed.nodes.map(({ path, value, perms }) => [
      path,
      { value, perms: perms === undefined ? undefined : serializePerms(perms) },
    ]);
    expect(found).toEqual([...readListing(file)]);
    expect(found.length).toBeGreaterThan(100);
  });

  test("takes back the escapes of values, and keeps quotation marks", () => {
    expect(plain('/a = "\\000\\t\\\\x\\xff"   (n0)', '/b = "say "hi" (n5)"', '/c = "x"   (n5)"   (n0)')).toEqual([
      "/a=\0\t\\x\xff n0",
      '/b=say "hi" (n5)',
      '/c=x"   (n5) n0',
    ]);
  });

  test("ignores comments, commands, empty lines and fences", () => {
    expect(
      plain("# a host", "```", "", "root@host:~# xenstore-ls -p", 'name = "x"   (n0)', "```", "$ xenstore-ls"),
    ).toEqual(["/name=x n0"]);
  });

  test("an indented tree begins at the path of its command, or where it is told", () => {
    const tree = 'name = "x"\n';
    const paths = ["[/local=]", "[/local/domain=]", "[/local/domain/5=]", "/local/domain/5/name=x"];
    expect(nodesOf(parseListing(`# xenstore-ls /local/domain/5\n${tree}`))).toEqual(paths);
    expect(nodesOf(parseListing(tree, { top: "/local/domain/5" as Path }))).toEqual(paths);
  });

  test.each([
    ["carriage returns", (line: string) => `${line}\r`],
    ["a mail's quotes", (line: string) => `> ${line}`],
    ["quotes of quotes", (line: string) => `>> > ${line}`],
    ["colours", (line: string) => line.replace(/\w+(?= =)/, "\x1b[36m$&\x1b[0m")],
    ["a margin", (line: string) => `    ${line}`],
    ["the kernel's log", (line: string, index: number) => `[   12.00${String(index)}] ${line}`],
    ["the hypervisor's console", (line: string) => `(XEN) [2022-11-03 12:00:00] ${line}`],
    ["syslog", (line: string) => `Nov  3 12:00:00 host xl[17]: ${line}`],
    ["a log with ISO times", (line: string) => `2022-11-03T12:00:00.5+01:00 ${line}`],
    ["a journal with ISO times", (line: string) => `2022-11-03T12:00:00+0100 host xl[17]: ${line}`],
  ])("takes off %s", (_, decorate) => {
    expect(plain(...['a = "1"', ' b = "2"   (n0)', '  c = "3"', 'd = ""'].map(decorate))).toEqual([
      "/a=1",
      "/a/b=2 n0",
      "/a/b/c=3",
      "/d=",
    ]);
  });

  test("takes off anything before a whole path", () => {
    expect(plain('debug: dom5: /a = "1"   (n0)', 'debug: dom5: /a/b = "x /c = 2"')).toEqual([
      "/a=1 n0",
      "/a/b=x /c = 2",
    ]);
  });

  test("keeps the beginning of a value that was cut, without half an escape, and says so", () => {
    const parsed = parseListing(
      ['a = "long\\..."', 'b = "x\\\\\\..."', 'c = "x\\xf\\..."  (n0)', 'd = "x\\\\..."', 'e = "y\\\\x\\..."'].join(
        "\n",
      ),
    );
    expect(nodesOf(parsed)).toEqual(["/a=long…", "/b=x\\…", "/c=x… n0", "/d=x\\...", "/e=y\\x…"]);
    expect(notes(parsed.remarks)).toEqual([
      "1 has a value that was cut: only the beginning of /a is known",
      "2 has a value that was cut: only the beginning of /b is known",
      "3 has a value that was cut: only the beginning of /c is known",
      "5 has a value that was cut: only the beginning of /e is known",
    ]);
    expect(parsed.errors).toEqual([]);
  });

  test("takes a node that could not be read, with the perms in the next line", () => {
    const parsed = parseListing('a = ""\n b:\n  (n5,r0)\n c = "1"\nBest regards:\n');
    expect(nodesOf(parsed)).toEqual(["/a=", "/a/b=… n5 r0", "/a/c=1"]);
    expect(notes(parsed.remarks)).toEqual(["2 has no value: that of /a/b could not be read"]);
    expect(notes(parsed.errors)).toEqual(["5 is no line of a listing: Best regards:"]);
    expect(notes(parseListing("Hello:\n").errors)).toEqual(["1 is no line of a listing: Hello:"]);
    expect(nodesOf(parseListing("/a:\n/b:\n"))).toEqual(["/a=…", "/b=…"]);
  });

  test("makes parents that are not listed, with the perms of the nearest one above that is, and says so", () => {
    const parsed = parseListing('/a = "1"   (n5)\n/a/b/c/d = "2"   (n6)\n/x/y = "3"   (n7)\n/a/b = "4"   (n8)\n');
    expect(nodesOf(parsed)).toEqual(["/a=1 n5", "/a/b=4 n8", "[/a/b/c= n8]", "/a/b/c/d=2 n6", "[/x=]", "/x/y=3 n7"]);
    expect(notes(parsed.remarks).map((note) => note.slice(0, 20))).toEqual([
      "2 is below /a/b, whi",
      "2 is below /a/b/c, w",
      "3 is below /x, which",
    ]);
  });

  test("joins lines that a mail has wrapped, and says so", () => {
    const parsed = parseListing(
      [
        '> /a = "one',
        '> two three" (n0)',
        "> /b",
        '> = "1"',
        '> /c = "2"',
        "> (n0,r5)",
        '> /d = "never ends',
        '> /e = "3"',
      ].join("\n"),
    );
    expect(nodesOf(parsed)).toEqual(["/a=one two three n0", "/b=1", "/c=2 n0 r5", "/e=3"]);
    expect(notes(parsed.remarks)).toEqual([
      "1 goes on in the next line, and was taken as one with it: /a",
      "3 goes on in the next line, and was taken as one with it: /b",
    ]);
    expect(notes(parsed.errors)).toEqual(['7 is no line of a listing: /d = "never ends']);
  });

  test("names lines that are none of a listing, and takes nobody for a child of another than its parent", () => {
    const parsed = parseListing(
      [
        'a = ""',
        ' b = ""',
        ' c = "lost',
        '  d = "of c"',
        ' e = "5"',
        " ...",
        '  f = "of whom"',
        "Hello!",
        ' g = "of whom"',
      ].join("\n"),
    );
    expect(nodesOf(parsed)).toEqual(["/a=", "/a/b=", "/a/e=5"]);
    expect(notes(parsed.errors)).toEqual([
      '3 is no line of a listing: c = "lost',
      "4 is indented so that it has no parent: d",
      "6 is no line of a listing: ...",
      "7 is indented so that it has no parent: f",
      "8 is no line of a listing: Hello!",
      "9 is indented so that it has no parent: g",
    ]);
  });

  test("leaves out perms that make no sense, and a path that is too long", () => {
    const parsed = parseListing(`/a = "1"   (x5)\n/${"b".repeat(3072)} = "2"\n/c = "3"   (n0, r5)\n`);
    expect(nodesOf(parsed)).toEqual(["/a=1", "/c=3 n0 r5"]);
    expect(notes(parsed.errors)).toEqual([
      "1 has permissions that make no sense, which are left out: (x5)",
      `2 has a path that is too long: /${"b".repeat(59)}…`,
    ]);
  });

  test("of a node that is listed twice the later line counts, and that is said where they differ", () => {
    const parsed = parseListing('/a = "1"\n/a = "1"   (n0)\n/a = "2"\n/a = "2"   (n5)\n');
    expect(nodesOf(parsed)).toEqual(["/a=2 n5"]);
    expect(notes(parsed.remarks)).toEqual(["3 lists /a again, and otherwise: this line counts"]);
  });
});

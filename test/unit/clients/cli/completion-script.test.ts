/**
 * The scripts for shells, in the shells: each does what it would do for a person.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { programHarness } from "./program-harness.js";

const scripts = new Map<string, string>();
beforeAll(async () => {
  const { run } = await programHarness();
  for (const shell of ["bash", "zsh"]) scripts.set(shell, (await run(["completion", shell])).out);
});

/** A stand-in for the program: it prints how it was called to standard error, and some nodes. No fork has an empty name. */
const PROGRAM = `exec 3>&2; xs() {
  echo "xs $*" >&3
  case "$*" in
    *'--fork  '*) return 2 ;;
    *branches) printf '%s\\n' 'main  @{4}  dom0' 'mine  @{3}  dom0' '    fork of @{2}, served' ;;
    *'list /local/domain') printf '%s\\n' 0 7 ;;
    *'control help') printf '%s\\n' 'check                recount' 'domain shutdown|destroy DOMID   what' ;;
    *tags) printf '%s\\n' 'v1  @{1}  dom0' ;;
    *) printf '%s\\n' /local/domain /local/domain-x /local/@x /vm '/$(echo x)*' ;;
  esac
}`;

interface Completion {
  readonly words: readonly string[];
  /** How the program was asked for nodes. */
  readonly asked: string;
}

/** Completes the last of the words that bash has split a line into. */
function complete(line: string, words: readonly string[] = line.split(" ")): Completion {
  const script = [
    scripts.get("bash"),
    PROGRAM,
    'COMP_LINE=$1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_POINT=${#COMP_LINE}',
    '_xs; ((${#COMPREPLY[@]} == 0)) || printf "%s\\n" "${COMPREPLY[@]}"',
  ].join("\n");
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script, "bash", line, ...words], { encoding: "utf8" });
  expect(status).toBe(0);
  return { words: stdout.split("\n").slice(0, -1), asked: stderr.trimEnd() };
}

describe("xs completion bash", () => {
  test("is a script, and is the completion of xs", () => {
    const bash = (...words: readonly string[]): string =>
      execFileSync("bash", words, { input: scripts.get("bash"), encoding: "utf8" });
    expect(bash("-n")).toBe("");
    const both = `${String(scripts.get("bash"))}\ncomplete -p xs\n`;
    expect(execFileSync("bash", { input: both, encoding: "utf8" })).toBe("complete -F _xs xs\n");
  });

  test("completes commands, also behind global options and for help", () => {
    expect(complete("xs rea").words).toEqual(["read"]);
    expect(complete("xs --json --socket /x/socket rea").words).toEqual(["read"]);
    expect(complete("xs help wr").words).toEqual(["write"]);
    expect(complete("xs ").words).toContain("completion");
    expect(complete("xs completion ").words).toEqual(["bash", "zsh"]);
  });

  test("completes options of the command", () => {
    expect(complete("xs ls --p").words).toEqual(["--perms"]);
    expect(complete("xs ls /a --a").words).toEqual(["--at"]);
    expect(complete("xs log --").words).toEqual(expect.arrayContaining(["--grep", "--count", "--json", "--socket"]));
    expect(complete("xs write --at").words).toEqual([]);
    for (const line of ["xs --h", "xs read --h", "xs help --h"]) expect(complete(line).words).toEqual(["--help"]);
  });

  test("asks the daemon for nodes below what is there already", () => {
    expect(complete("xs read /local/d")).toEqual({
      words: ["/local/domain", "/local/domain-x"],
      asked: "xs list -p /local",
    });
    expect(complete("xs read /v")).toEqual({ words: ["/vm"], asked: "xs list -p /" });
    expect(complete("xs read /$").words).toEqual(["/$(echo x)*"]);
    expect(complete("xs read ").asked).toBe("xs list -p /");
    expect(complete("xs --socket /x/socket ls -f /vm /local/").asked).toBe("xs --socket /x/socket list -p /local");
  });

  test("tells nodes from what is no node", () => {
    const isNode = (line: string): boolean => complete(line).asked.includes(" list -p");
    expect(isNode("xs chmod /")).toBe(true);
    expect(isNode("xs chmod /a /")).toBe(false);
    expect(isNode("xs diff main /")).toBe(false);
    expect(isNode("xs diff main v1 /")).toBe(true);
    expect(isNode("xs log --grep /")).toBe(false);
    expect(isNode("xs log --grep x /")).toBe(true);
    expect(isNode("xs watch -n 3 /")).toBe(true);
    expect(isNode("xs control flush /")).toBe(false);
  });

  test("completes revisions, files and directories", () => {
    expect(complete("xs ls --at H").words).toEqual(["HEAD"]);
    expect(complete("xs show H").words).toEqual(["HEAD"]);
    expect(complete("xs show ").words).toEqual(["HEAD", "main", "mine", "v1"]);
    expect(complete("xs --fork mine read /v").asked).toBe("xs --fork mine list -p /");
    expect(complete("xs --socket /x/socket merge mi")).toEqual({
      words: ["mine"],
      asked: "xs --socket /x/socket branches",
    });
    expect(complete("xs --fork ").words).toEqual(["mine"]);
    expect(complete("xs ls --fork mi").words).toEqual(["mine"]);
    expect(complete("xs fork ").words).toEqual(["mine"]);
    expect(complete("xs merge ").words).toEqual(["mine"]);
    expect(complete("xs txn -f package.js").words).toEqual(["package.json"]);
    expect(complete("xs log --repo packag").words).toEqual([]);
    expect(complete("xs log --repo clien").words).toEqual(["clients"]);
  });

  test("completes choices, nodes as values, special paths, commands of the daemon and domains", () => {
    expect(complete("xs load package.js").words).toEqual(["package.json"]);
    expect(complete("xs load --path /v").words).toEqual(["/vm"]);
    expect(complete("xs bisect hot").words).toEqual(["hotplug-script-fails", "hotplug-script-never-ends"]);
    expect(complete("xs log --failures --error EA").words).toEqual(["EACCES", "EAGAIN"]);
    expect(complete("xs perms @").words).toEqual(["@introduceDomain", "@releaseDomain"]);
    expect(complete("xs why-not @r").words).toEqual(["@releaseDomain"]);
    expect(complete("xs control ").words).toEqual(["check", "domain"]);
    expect(complete("xs control flush ").words).toEqual([]);
    expect(complete("xs log --domain ").words).toEqual(["0", "7"]);
  });

  test("knows a value behind =, where bash splits there and where it does not", () => {
    expect(complete("xs ls --at=H", ["xs", "ls", "--at", "=", "H"]).words).toEqual(["HEAD"]);
    expect(complete("xs ls --at=H").words).toEqual(["--at=HEAD"]);
    expect(complete("xs ls --at=", ["xs", "ls", "--at", "="]).words).toEqual(["HEAD", "main", "mine", "v1"]);
    expect(complete("xs log --repo=clien", ["xs", "log", "--repo", "=", "clien"]).words).toEqual(["clients"]);
    const split = ["xs", "--socket", "=", "/other", "list", "/v"];
    expect(complete("xs --socket=/other list /v", split)).toEqual({
      words: ["/vm"],
      asked: "xs --socket=/other list -p /",
    });
    expect(complete("xs --fork=mine log /v").asked).toBe("xs --fork=mine list -p /");
  });

  test("is not led astray by what bash splits at", () => {
    const split = ["xs", "diff", "@", "{1}", "main", "@", "{2}", "/local/d"];
    expect(complete("xs diff @{1} main@{2} /local/d", split).words).toEqual(["/local/domain", "/local/domain-x"]);
    expect(complete("xs read /local/@", ["xs", "read", "/local/", "@"]).words).toEqual(["@x"]);
  });
});

const hasZsh = spawnSync("zsh", ["-c", "true"]).error === undefined;

/** What zsh is told to offer for the last word of a line: the words of `compadd`, or the function that finds files. */
function offer(line: string): Completion {
  const script = [
    "compdef() { :; }",
    'compadd() { print -rl -- "$@"; }',
    'compset() { print -rl -- compset "$@"; }',
    '_files() { print -rl -- files "$@"; }',
    scripts.get("zsh"),
    PROGRAM,
    'words=("$@"); CURRENT=$#words',
    "_xs",
  ].join("\n");
  const { status, stdout, stderr } = spawnSync("zsh", ["-f", "-c", script, "zsh", ...line.split(" ")], {
    encoding: "utf8",
  });
  expect([status, stdout]).toEqual([0, stdout]);
  return { words: stdout.split("\n").slice(0, -1), asked: stderr.trimEnd() };
}

describe(`xs completion zsh${hasZsh ? "" : " (not tried in zsh: it is not installed)"}`, () => {
  test("begins with what zsh's completion system looks for", () => {
    expect(scripts.get("zsh")).toMatch(/^#compdef xs\n/);
    expect(scripts.get("zsh")).toContain("ls:--at) kind=revision ;;");
  });

  test.skipIf(!hasZsh)("is a script", () => {
    expect(execFileSync("zsh", ["-n"], { input: scripts.get("zsh"), encoding: "utf8" })).toBe("");
  });

  test.skipIf(!hasZsh)("offers commands, options, files and choices; zsh takes those that fit", () => {
    expect(offer("xs rea").words).toEqual(expect.arrayContaining(["--", "read", "write", "fork"]));
    expect(offer("xs --json --socket /x/socket ").words).toContain("read");
    expect(offer("xs ls --p").words).toEqual(expect.arrayContaining(["--perms", "--at", "--fork"]));
    expect(offer("xs completion ").words).toEqual(["--", "bash", "zsh"]);
    expect(offer("xs txn -f x").words).toEqual(["files"]);
    expect(offer("xs log --repo x").words).toEqual(["files", "-/"]);
    expect(offer("xs log --grep x").words).toEqual([]);
  });

  test.skipIf(!hasZsh)("knows a value behind =, and has zsh leave alone what is before it", () => {
    expect(offer("xs ls --at=H").words).toEqual(["compset", "-P", "*=", "--", "HEAD", "main", "mine", "v1"]);
    expect(offer("xs log --repo=cl").words).toEqual(["compset", "-P", "*=", "files", "-/"]);
    expect(offer("xs --socket=/other list /v").asked).toBe("xs --socket=/other list -p /");
  });

  test.skipIf(!hasZsh)("asks the daemon for nodes, branches and tags", () => {
    expect(offer("xs read /local/d")).toEqual({
      words: ["-S", "", "--", "/local/domain", "/local/domain-x", "/local/@x", "/vm", "/$(echo x)*"],
      asked: "xs list -p /local",
    });
    expect(offer("xs --socket /x/socket --fork mine ls -f /vm /v").asked).toBe(
      "xs --socket /x/socket --fork mine list -p /",
    );
    expect(offer("xs diff v1 ")).toEqual({
      words: ["--", "HEAD", "main", "mine", "v1"],
      asked: "xs branches\nxs tags",
    });
    expect(offer("xs merge m").words).toEqual(["--", "mine"]);
    expect(offer("xs --fork m").words).toEqual(["--", "mine"]);
    expect(offer("xs control c").words).toEqual(["--", "check", "domain"]);
    expect(offer("xs log --domain 7").words).toEqual(["--", "0", "7"]);
    expect(offer("xs chmod /a /").asked).toBe("");
  });
});

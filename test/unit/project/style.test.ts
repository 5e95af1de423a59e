/**
 * The rules of style that no linter knows.
 *
 * Each rule is tried on samples that break it before it is applied to the project: a rule that never fires looks like a
 * rule that is kept.
 */
import { execFileSync } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const project = resolve(import.meta.dirname, "..", "..", "..");

/** A rule, with the proof that it tells good from bad. */
interface Rule {
  readonly claim: string;
  readonly appliesTo: (name: string) => boolean;
  /** Whether this text breaks the rule. */
  readonly broken: (text: string, name: string) => boolean;
  /** Files that break the rule, and files like them that keep it. */
  readonly bad: readonly (readonly [name: string, text: string])[];
  readonly good: readonly (readonly [name: string, text: string])[];
}

const FOLDERS = new Set(["daemon", "protocol", "clients", "simulator", "test"]);

/** This file holds what its rules forbid. */
const SELF = "test/unit/project/style.test.ts";

const isSource = (name: string) => /^(?:protocol|daemon|clients|simulator)\/.*\.ts$/.test(name);
const isTypeScript = (name: string) => name.endsWith(".ts");
const isText = (name: string) => !/\.(?:bin|pack|idx|png|gif|gz|tgz)$/.test(name);

const machinePath = /(?<![\w.~}*-])\/(?:work|root)\/[\w.-]/;

const rules: readonly Rule[] = [
  {
    claim: "a source file opens with a comment that says what it owns",
    appliesTo: isSource,
    broken: (text) => !/^(?:#!.*\n)?\/\*\*/.test(text),
    bad: [
      ["protocol/a.ts", "export const a = 1;\n/** Late. */\n"],
      ["daemon/main.ts", "#!/usr/bin/env node\nrun();\n"],
      ["daemon/a.ts", "// One line.\n"],
    ],
    good: [
      ["protocol/a.ts", "/** Owns a. */\n"],
      ["daemon/main.ts", "#!/usr/bin/env node\n/**\n * Owns the process. */\n"],
    ],
  },
  {
    claim: "no file is called utils",
    appliesTo: isTypeScript,
    broken: (_text, name) => /^(?:utils?|helpers?|misc|common)\.ts$/.test(basename(name)),
    bad: [
      ["protocol/utils.ts", ""],
      ["test/support/helpers.ts", ""],
    ],
    good: [["protocol/bytes.ts", ""]],
  },
  {
    claim: "what is left to do is a NEEDSWORK with a reason",
    appliesTo: isTypeScript,
    broken: (text) => /\b(?:TODO|FIXME)\b|\bNEEDSWORK(?!: \S)/.test(text),
    bad: [
      ["protocol/a.ts", "// TODO: later"],
      ["test/a.test.ts", "// FIXME"],
      ["protocol/a.ts", "// NEEDSWORK\n"],
      ["protocol/a.ts", "// NEEDSWORK:\n"],
    ],
    good: [["protocol/a.ts", "// NEEDSWORK: slow for long lists, which nobody has yet."]],
  },
  {
    claim: "exports have names",
    appliesTo: (name) => isTypeScript(name) && name !== "vitest.config.ts",
    broken: (text) => /^\s*export\s+default\b|\bas\s+default\b/m.test(text),
    bad: [
      ["protocol/a.ts", "export default function a() {}"],
      ["protocol/a.ts", "export { a as default };"],
    ],
    good: [["protocol/a.ts", "export const theDefault = 1;"]],
  },
  {
    claim: "the top level holds the five folders and dot folders",
    appliesTo: (name) => name.includes("/"),
    broken: (_text, name) => {
      const top = name.slice(0, name.indexOf("/"));
      return !top.startsWith(".") && !FOLDERS.has(top);
    },
    bad: [
      ["src/a.ts", ""],
      ["docs/a.md", ""],
    ],
    good: [
      ["protocol/a.ts", ""],
      [".ci/run", ""],
    ],
  },
  {
    claim: "no path of one machine",
    appliesTo: isText,
    broken: (text) => machinePath.test(text),
    bad: [
      ["README.md", ["see ", "work", "main", "a"].join("/")],
      [".ci/run", ['cd "', "root", 'x"'].join("/")],
    ],
    good: [
      ["README.md", "STATE/root/a and ./root/b and /local/domain/0 and $HOME/root/x"],
      ["test/a.ts", '"/root" is a node; `${base}/root/x` is below one'],
    ],
  },
  {
    claim: "the lockfile names no host",
    appliesTo: (name) => basename(name) === "package-lock.json",
    broken: (text) => /"resolved"|registry\./.test(text),
    bad: [["package-lock.json", `{"resolved":"https://registry.npmjs.org/a"}`]],
    good: [["package-lock.json", `{"integrity":"sha512-AAAA"}`]],
  },
  {
    claim: "lines end in a line feed, also the last one",
    appliesTo: (name) => isText(name) && !name.startsWith("test/fixtures/"),
    broken: (text) => text.includes("\r\n") || (text !== "" && !text.endsWith("\n")),
    bad: [
      ["a.md", "a\r\n"],
      ["a.md", "a"],
    ],
    good: [["a.md", "a\n"]],
  },
];

/** The files that are in Git or would be added: everything that is not ignored. */
function projectFiles(): string[] {
  const output = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: project,
    encoding: "latin1",
  });
  const names = [...new Set(output.split("\0"))].filter((name) => name !== "");
  return names.filter((name) => statSync(join(project, name), { throwIfNoEntry: false })?.isFile() === true);
}

describe("style", () => {
  const names = projectFiles();
  const texts = new Map(names.filter(isText).map((name) => [name, readFileSync(join(project, name), "utf8")]));

  test("the project's files are found", () => {
    for (const name of ["package.json", ".ci/run", "protocol/bytes.ts"]) expect(names).toContain(name);
  });

  test.each(rules)("$claim: the rule tells good from bad", (rule) => {
    for (const [name, text] of rule.bad) {
      expect([name, rule.appliesTo(name) && rule.broken(text, name)]).toEqual([name, true]);
    }
    for (const [name, text] of rule.good) {
      expect([name, rule.appliesTo(name) && rule.broken(text, name)]).toEqual([name, false]);
    }
  });

  test.each(rules)("$claim: every file keeps it", (rule) => {
    const broken = names.filter(
      (name) => name !== SELF && rule.appliesTo(name) && rule.broken(texts.get(name) ?? "", name),
    );
    expect(broken).toEqual([]);
  });
});

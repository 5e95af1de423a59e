/**
 * The history of the demo's daemon, read with plain Git.
 *
 * Owns how a commit is found by its number and how a node is found in it: a node without children is a blob, one with children
 * a tree, with its own value in `.value`. Perms are not read: the demo's predicate asks for none.
 */
import { execFileSync } from "node:child_process";
import type { StateView } from "../../protocol/predicate/state-view.js";

/** Most output of one `git`. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** Reads a repository. Git is started for each question; there are few. */
export class GitHistory {
  readonly #repository: string;
  /** Commits of the branch, newest first. */
  readonly #commits: readonly string[];

  constructor(repository: string) {
    this.#repository = repository;
    this.#commits = this.run(["rev-list", "--first-parent", "main"]).trimEnd().split("\n");
  }

  /** The number of the newest commit: the first is 1. */
  get tip(): number {
    return this.#commits.length;
  }

  /** The object id of a commit. */
  oid(seq: number): string {
    const oid = this.#commits[this.#commits.length - seq];
    if (oid === undefined) throw new RangeError(`the history has commits 1 to ${String(this.tip)}, not ${String(seq)}`);
    return oid;
  }

  /** The state that a commit made. */
  view(seq: number): StateView {
    const oid = this.oid(seq);
    return {
      node: (path) => {
        const place = `${oid}:${path.slice(1)}`;
        const kind = this.#find(["cat-file", "-t", place])?.trimEnd();
        if (kind === undefined) return undefined;
        return {
          value: this.#find(["cat-file", "blob", kind === "tree" ? `${place}/.value` : place]) ?? "",
          get perms(): never {
            throw new Error("the demo does not read perms");
          },
          names:
            kind === "tree"
              ? this.run(["ls-tree", "--name-only", place])
                  .split("\n")
                  .filter((name) => name !== "" && !name.startsWith("."))
              : [],
        };
      },
    };
  }

  /** The output of a `git` command. */
  run(args: readonly string[]): string {
    // What a caller's GIT_DIR and the like name is not this repository.
    const environment = Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_"));
    return execFileSync("git", ["-C", this.#repository, "--no-pager", ...args], {
      encoding: "latin1",
      env: Object.fromEntries(environment),
      maxBuffer: OUTPUT_BYTES_MAX,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** The output, or undefined when there is no such object. */
  #find(args: readonly string[]): string | undefined {
    try {
      return this.run(args);
    } catch {
      return undefined;
    }
  }
}

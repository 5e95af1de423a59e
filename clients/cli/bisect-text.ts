/**
 * How the answer of a bisection looks, for people.
 *
 * Owns the words about steps and flips; the commit is `commit-text.ts`'s.
 */
import type { BisectAnswer, FlipsJson } from "../../protocol/http-api/bisect.js";
import { bytesFromText, type ByteString } from "../../protocol/bytes.js";
import { commitText } from "./commit-text.js";

/** The answer: which commit, how it was found, and the commit as `xs show` has it. */
export function bisectText({ good, bad, tip, first, steps, flips }: BisectAnswer): ByteString {
  const found = `${numberOf(first)} is the first bad commit, found in ${counted(steps, "step")}`;
  const between = `${numberOf(good)} (good) and ${numberOf(bad)} (bad)`;
  const over =
    tip === undefined ? "" : `it is over at HEAD, ${numberOf(tip)}: ${numberOf(bad)} is the newest bad commit\n`;
  return bytesFromText(`${found} between ${between}\n${over}${flipsLine(flips)}\n`) + commitText(first);
}

/** A warning where the answer need not be the only one; undefined where nothing is wrong. */
export function flipsWarning({ count, looked, commits }: FlipsJson): string | undefined {
  if (count <= 1) {
    if (looked === commits) return undefined;
    const known = looked === 0 ? "is not known" : `is known only of the last ${String(looked)}`;
    return `how often the predicate flips in these ${String(commits)} commits ${known}: --flips looks in more of them`;
  }
  const where = looked < commits ? ` in the last ${String(looked)} commits alone` : "";
  return (
    `the predicate is not monotone: it flips ${String(count)} times${where}, and halving has found one of the commits ` +
    "that turned it"
  );
}

function flipsLine({ count, looked, commits }: FlipsJson): string {
  const flips = count === 1 ? "the predicate flips once" : `the predicate flips ${String(count)} times`;
  if (looked === commits) return `${flips} in these ${counted(commits, "commit")}\n`;
  if (looked === 0) return `flips were not looked for in these ${counted(commits, "commit")} (--flips)\n`;
  const last = `flips looked for in the last ${String(looked)} of ${counted(commits, "commit")}`;
  return `${last}: ${count === 0 ? "none there" : flips}\n`;
}

/** A commit by its number. */
export function numberOf({ seq, oid }: { readonly seq?: number | undefined; readonly oid: string }): string {
  return seq === undefined ? oid : `@{${String(seq)}}`;
}

/** `1 step`, `7 steps`. */
export function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? "" : "s"}`;
}

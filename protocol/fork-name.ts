/**
 * The names that forks may have: each is a branch of the repository, a socket file and part of the names of others.
 */

/** Letters, digits, `-`, `_` and `.`; the first is a letter or a digit. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const RESERVED: ReadonlySet<string> = new Set(["main", "HEAD", "ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD"]);
/** Git takes it for an object before it looks for a branch. */
const OID = /^[0-9a-f]{40}$/i;
/** Of lock files, of the directories of guests' sockets, and of what an index of seqs has beside it. */
const RESERVED_END = /\.(?:lock|domains|new|old|walk)$|\.$/;

/** Why this can be no fork's name, in words for people; undefined when it can. */
export function forkNameProblem(name: string): string | undefined {
  if (RESERVED.has(name)) return `a fork cannot be called ${name}: choose another name`;
  if (NAME.test(name) && !name.includes("..") && !OID.test(name) && !RESERVED_END.test(name)) return undefined;
  return (
    `${JSON.stringify(name)} can be no fork's name: write letters, digits, "-", "_" and "." (at most 64, ` +
    "beginning with a letter or digit), such as before-the-failure"
  );
}

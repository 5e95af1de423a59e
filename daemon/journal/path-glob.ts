/**
 * Globs over paths: which values `--redact` means.
 *
 * Owns their syntax and the match. `*` stands for any characters within a name and `?` for one; a name that is `**` stands for
 * any number of names, none included. Everything else is itself. Guests choose paths, so a match must never take more
 * than the glob's length times the path's: no regular expression is made, which could go back over every `**`.
 */

/** A glob that was parsed. */
export interface PathGlob {
  /** As it was given. */
  readonly text: string;
  /** @param path - absolute */
  matches(path: string): boolean;
}

const NAME = /^[A-Za-z0-9\-_@*?]+$/;
const ANY_NAMES = "**";

/**
 * Parses a glob.
 *
 * @throws RangeError with a sentence for people that says what would be right
 */
export function parsePathGlob(text: string): PathGlob {
  const example = "for example /vm/*/vncpasswd or /local/domain/*/backend/vfb/**/vncpasswd";
  if (!text.startsWith("/")) throw new RangeError(`A glob is an absolute path and begins with "/", ${example}.`);
  const names = text.slice(1).split("/");
  for (const name of names) {
    if (name === "") throw new RangeError(`A glob has a name between two slashes and after the last one, ${example}.`);
    if (!NAME.test(name)) {
      throw new RangeError(
        `"${name}" can be no name of a node: names are made of letters, digits, "-", "_" and "@", in a glob also of "*" and "?".`,
      );
    }
    if (name.includes(ANY_NAMES) && name !== ANY_NAMES) {
      throw new RangeError(`"**" stands between slashes for any number of names; within "${name}" write "*".`);
    }
  }
  // Most globs end in a plain name, and most paths do not end in that one.
  const ending = /[^*?]*$/.exec(text)?.[0] ?? "";
  const matchesName = (pattern: string, name: string): boolean =>
    pattern === "*" || matchesAll(pattern, name, isAnyCharacters, matchesCharacter);
  return {
    text,
    matches: (path) =>
      path.endsWith(ending) && matchesAll(names, path === "/" ? [] : path.slice(1).split("/"), isAnyNames, matchesName),
  };
}

const isAnyNames = (pattern: string): boolean => pattern === ANY_NAMES;
const isAnyCharacters = (pattern: string): boolean => pattern === "*";
const matchesCharacter = (pattern: string, character: string): boolean => pattern === "?" || pattern === character;

/**
 * Whether a list matches a list of patterns, of which those that `isAny` names stand for any number of elements. A string is
 * a list of characters.
 */
function matchesAll(
  patterns: ArrayLike<string>,
  elements: ArrayLike<string>,
  isAny: (pattern: string) => boolean,
  matchesOne: (pattern: string, element: string) => boolean,
): boolean {
  let at = 0;
  /** The last pattern that stands for any number, and the first element that it does not stand for yet. */
  let any = -1;
  let resume = 0;
  for (let index = 0; index < elements.length;) {
    const pattern = patterns[at];
    if (pattern !== undefined && isAny(pattern)) {
      any = at++;
      resume = index;
    } else if (pattern !== undefined && matchesOne(pattern, elements[index] as string)) {
      at++;
      index++;
    } else if (any >= 0) {
      at = any + 1;
      index = ++resume;
    } else return false;
  }
  while (at < patterns.length && isAny(patterns[at] as string)) at++;
  return at === patterns.length;
}

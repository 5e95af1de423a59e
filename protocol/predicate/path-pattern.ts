/**
 * Path patterns: which nodes a test is about, as text.
 *
 * Owns their syntax and their canonical text. Which nodes they match is `matching-nodes.ts`. What a variable stands for may hold
 * slashes, also the first one, but neither wildcards nor braces: a value out of the store never becomes a pattern.
 */
import type { ByteString } from "../bytes.js";
import { XENSTORE_ABS_PATH_MAX } from "../limits.js";
import { PREDICATE_DEPTH_MAX, type PathPattern } from "./predicate.js";
import { showWord, type Scanner } from "./scanner.js";

/** For any number of names. */
export const ANY_NAMES = "**";

const PATH_CHARACTER = /[A-Za-z0-9_@/-]/;
const PATH_CHARACTERS = /^[A-Za-z0-9_@/-]*$/;
/** What cannot be in a path and may follow it. */
const ENDS = ' \t\r\n()"}=!<>~';

/** How a pattern is to be read. */
export interface PathPlace {
  /** Why wildcards cannot stand here, as a sentence; undefined where they can. */
  readonly noWildcards: string | undefined;
  /** Levels of `(`, `not` and `{` around it. */
  readonly depth: number;
}

/**
 * Takes a path pattern after the blanks; it may stand in quotation marks.
 *
 * @throws PredicateError
 */
export function takePathPattern(scanner: Scanner, { noWildcards, depth }: PathPlace): PathPattern {
  scanner.skipBlanks();
  const quoted = scanner.offset;
  if (!scanner.takeCharacter('"')) return takeBarePattern(scanner, { noWildcards, depth });
  const pattern = takeBarePattern(scanner, { noWildcards, depth });
  if (scanner.takeCharacter('"')) return pattern;
  return scanner.character === ""
    ? scanner.fail("This quotation mark is never closed.", quoted)
    : scanner.fail(`${showWord(scanner.character)} cannot stand in a path.`);
}

function takeBarePattern(scanner: Scanner, { noWildcards, depth }: PathPlace): PathPattern {
  const begin = scanner.offset;
  let base: PathPattern | undefined;
  if (scanner.takeCharacter("{")) {
    if (depth >= PREDICATE_DEPTH_MAX) {
      scanner.fail(`Nothing is nested more than ${String(PREDICATE_DEPTH_MAX)} levels deep.`, begin);
    }
    const inBraces = "The path in braces is that of one node: it has no wildcards.";
    base = takeBarePattern(scanner, { noWildcards: inBraces, depth: depth + 1 });
    if (!scanner.takeCharacter("}")) scanner.fail('Expected "}" at the end of the path in braces.');
  }
  const { text, origins } = takeCharacters(scanner);
  if (!text.startsWith("/") && (base === undefined || text !== "")) {
    scanner.fail(
      base === undefined
        ? 'Expected a path, which begins with "/", for example /local/domain/1/name.'
        : 'Expected "/" or the end of the path after the braces.',
      base === undefined ? begin : origins[0],
    );
  }
  if (text.length > XENSTORE_ABS_PATH_MAX) {
    scanner.fail(
      `A path has at most ${String(XENSTORE_ABS_PATH_MAX)} bytes; this one has ${String(text.length)}.`,
      begin,
    );
  }
  if (text === "" || (text === "/" && base === undefined)) return { base, prefix: "", wild: [] };
  const names = text.slice(1).split("/");
  checkNames(scanner, names, (index) => origins[index] ?? scanner.offset);
  const firstWild = names.findIndex((name) => name.includes("*"));
  if (firstWild === -1) return { base, prefix: text, wild: [] };
  if (noWildcards !== undefined) scanner.fail(noWildcards, origins[text.indexOf("*")]);
  const plain = names.slice(0, firstWild);
  return { base, prefix: plain.map((name) => `/${name}`).join(""), wild: names.slice(firstWild) };
}

/** Takes the characters of a path. `origins` has, for each, where it comes from: a variable gives many in one place. */
function takeCharacters(scanner: Scanner): { readonly text: ByteString; readonly origins: readonly number[] } {
  let text = "";
  const origins: number[] = [];
  for (;;) {
    const { character, offset } = scanner;
    if (character === "" || ENDS.includes(character)) return { text, origins };
    let more = character;
    if (character === "$") {
      const { name, bytes } = scanner.takeVariable() ?? { name: "", bytes: "" };
      if (!PATH_CHARACTERS.test(bytes)) {
        scanner.fail(`$${name} stands for ${showWord(bytes)}, which cannot be part of a path.`, offset);
      }
      more = bytes;
    } else if (character === "*" || PATH_CHARACTER.test(character)) scanner.takeCharacter(character);
    else if (character === "{")
      scanner.fail("Braces stand at the beginning of a path, for example {/local/domain/1/vm}/name.");
    else {
      scanner.fail(
        `A path has no ${showWord(character)}: names are made of letters, digits, "-", "_" and "@", and "*" is the wildcard.`,
      );
    }
    text += more;
    for (let index = 0; index < more.length; index++) origins.push(offset);
  }
}

/** @param originOf - where the character at an index of the path comes from */
function checkNames(scanner: Scanner, names: readonly string[], originOf: (index: number) => number): void {
  let index = 1;
  for (const name of names) {
    if (name === "") {
      scanner.fail("A path has a name between two slashes and after the last one.", originOf(index));
    }
    const stars = name.indexOf(ANY_NAMES);
    if (stars !== -1 && name !== ANY_NAMES) {
      scanner.fail(
        `"**" stands between slashes for any number of names; within a name write "*".`,
        originOf(index + stars),
      );
    }
    index += name.length + 1;
  }
}

/** The canonical text of a pattern. */
export function serializePathPattern({ base, prefix, wild }: PathPattern): ByteString {
  if (base === undefined && prefix === "" && wild.length === 0) return "/";
  const begin = base === undefined ? "" : `{${serializePathPattern(base)}}`;
  return begin + prefix + wild.map((name) => `/${name}`).join("");
}

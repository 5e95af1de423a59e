/**
 * Bad lines: what the bytes of a line that cannot be read still tell.
 *
 * Owns the questions that recovery and follower ask before they cut a bad line or pass it over: whether a whole record
 * stands in it, and whether it may hold a commit that is nowhere else. A newline that was damaged joins two lines, and the
 * second one must not vanish with the first.
 */
import { crc32 } from "node:zlib";
import type { Seq } from "../../protocol/identifiers.js";
import type { JournalPlace } from "./errors.js";

/** Bad lines that stand one after the other among those that are safe elsewhere, and were passed over. */
export interface PassedOver extends JournalPlace {
  /** How many lines. */
  readonly lines: number;
  /** What is wrong with the first one. */
  readonly reason: string;
}

/** Characters of the checksum and the blank after it. */
const CHECKSUM_LENGTH = 9;

/**
 * How many characters a sealed text has with which `text` begins and which is not all of it, or undefined where there is
 * none. Behind it stands what was a newline: a crash leaves beginnings of lines, and never anything else behind a whole one.
 */
export function sealedBeginning(text: string): number | undefined {
  const checksum = /^([0-9a-f]{8}) \{/.exec(text)?.[1];
  if (checksum === undefined) return undefined;
  const expected = parseInt(checksum, 16);
  let sum = 0;
  let from = CHECKSUM_LENGTH;
  // A sealed text is a JSON object, so only a brace can end it.
  for (let brace = text.indexOf("}", from); brace !== -1; brace = text.indexOf("}", from)) {
    sum = crc32(Buffer.from(text.slice(from, brace + 1), "latin1"), sum);
    from = brace + 1;
    if (sum === expected) return from < text.length ? from : undefined;
  }
  return undefined;
}

/** A record's beginning. Within strings a quote is escaped, so this stands nowhere else. */
const RECORD_START = /\{"seq":([1-9][0-9]*)/g;

/**
 * Whether a bad line may hold a commit after `after`, though a commit up to `after` should stand there.
 *
 * @param followsBadLine - the line before is bad too, so nobody knows which commit should stand here; else the line's own
 *   seq is not believed, for it is what was damaged
 */
export function mayHoldLaterCommit(
  text: string,
  { after, followsBadLine }: { readonly after: Seq; readonly followsBadLine: boolean },
): boolean {
  for (const start of text.matchAll(RECORD_START)) {
    const isOwn = start.index <= CHECKSUM_LENGTH;
    if (Number(start[1]) > after && (!isOwn || followsBadLine)) return true;
  }
  return false;
}

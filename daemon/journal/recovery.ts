/**
 * Recovery: what a journal says when the daemon starts, and the removal of what a crash left behind.
 *
 * Owns the decision between a torn tail, which is cut, and damage, which is refused. Must never drop a line whose commit
 * may have been acknowledged under the durability that was asked for. Source: design.md, "Journal and recorder".
 *
 * Invariants (tests cite them):
 *  1. Lines after `after` are recovered in order and without a gap, each as it was written, or recovery refuses or cuts from
 *     the first bad one on; nothing behind a bad line is ever taken.
 *  2. When DamagedJournalError is thrown, nothing was changed.
 *  3. Seqs up to `after` are in sealed packs, which are on the disk: the journal is not asked about them. A bad line among
 *     them is passed over and reported, unless a later commit may stand in it.
 *  4. In the boot in which the journal was written, a crash can leave one thing: an unfinished write at the very end of the
 *     last segment. Only that is cut, and everything else that is bad is damage.
 *  5. After another start of the machine, what had not been synced may be lost from any place on. It is cut from the first
 *     bad line on, later segments too, unless something proves that the line was on the disk.
 *
 * Why the boot id: what a `kill -9` leaves and what a power cut leaves need opposite answers. After the first, everything
 * that was written is there, so a bad line in the middle is a disk's fault, and cutting there would lose acknowledged
 * commits. After the second, unsynced lines may have become zeros while later ones survived, and refusing would keep a
 * daemon from starting after every power cut under `process` durability. Each segment's header says in which boot its
 * lines were written, so a journal tells the two apart. Segments of version 1 do not say, and count as of another boot.
 *
 * Proofs that a bad line was on the disk: a later line says that its seq was synced (`power` durability); a later segment
 * is of another boot, for then the daemon read the whole journal from the disk, and synced it, before it began that
 * segment. And a whole record with anything but zeros behind it, where its newline should be, is a newline that was
 * damaged: no crash makes that.
 *
 * Refused in any boot, because no crash makes them either: a line with a right checksum and contents that are not ours to
 * read (an error of the daemon), a seq that occurs twice, a good line that does not follow the good line before it, a header
 * that was damaged while a good line follows it, and a journal that begins after `after` + 1 (the history lost commits that
 * it once had).
 *
 * What no reader of the file alone can tell: a file that was cut short, at whatever byte, from one whose last write was not
 * finished. And a header that is bad with nothing behind it is cut, too: nothing is lost with it.
 */
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import type { Commit } from "../store/commit.js";
import { mayHoldLaterCommit, sealedBeginning, type PassedOver } from "./bad-line.js";
import { DamagedJournalError, ForeignJournalError, type JournalPlace } from "./errors.js";
import { decodeRecord, seqOfRecord } from "./record.js";
import { decodeHeader, isOfBoot, LineReader, listSegments, type DecodedHeader, type SegmentName } from "./segment.js";

/** A segment and its size. */
export interface Segment extends SegmentName {
  /** Bytes up to the end of its last good line. */
  bytes: number;
}

/** What was cut off a journal's end: `offset` is where the first bad line began. */
export interface Cut extends JournalPlace {
  /** How much was cut, in this segment and later ones. */
  readonly bytes: number;
  /** What was wrong with the line. */
  readonly reason: string;
  /** How many good lines stood behind it and went with it: 0 for an unfinished last write. */
  readonly goodLines: number;
}

/** A journal as it is after recovery. */
export interface Recovery {
  /** The segments that are left, oldest first. */
  readonly segments: Segment[];
  /** Whether the last of them can be appended to: it is whole, ends with the line before `next`, and is of this boot. */
  readonly isLastOpen: boolean;
  /** The commits after `after`, in order; none where `replay` took them. */
  readonly recovered: Commit[];
  /** The seq that the next commit will have. */
  readonly next: Seq;
  readonly cut: Cut | undefined;
  /** What is bad among the lines up to `after`. */
  readonly passedOver: readonly PassedOver[];
}

/** Which journal to recover. */
export interface RecoveryOptions {
  readonly fileSystem: FileSystem;
  /** Absolute path. */
  readonly directory: string;
  readonly branch: string;
  /** The last seq in sealed packs. */
  readonly after: Seq;
  /** The kernel's boot id now; undefined where there is none. */
  readonly bootId: string | undefined;
  /** Takes each commit after `after`, in order, as it is read; undefined to have them all in the end. */
  readonly replay: ((commit: Commit) => void) | undefined;
}

/** A segment with its header, which is undefined where the first line has no end. */
interface FoundSegment extends Segment {
  readonly header: DecodedHeader | undefined;
}

/** The state of a scan. */
interface Scan {
  readonly options: RecoveryOptions;
  readonly replay: (commit: Commit) => void;
  readonly passedOver: PassedOver[];
  /** The seq that the next line should have. */
  next: Seq;
  /** Whether the line before was passed over. */
  followsBadLine: boolean;
}

/** What is wrong with a segment's beginning or a line: the bytes that nobody can read, up to the line's or the file's end. */
interface Problem {
  readonly kind: "header" | "line" | "gap";
  readonly offset: number;
  readonly reason: string;
  readonly text: string;
  /** Whether there is no newline behind it: then it is the file's end. */
  readonly isTail: boolean;
}

/** The first problem of a journal. */
interface BadLine extends Problem {
  /** Index of its segment. */
  readonly index: number;
  /** The seq that it should have had. */
  readonly seq: Seq;
}

/** What stands behind a bad line. */
interface Behind {
  /** How many good lines. */
  goodLines: number;
  /** A proof that the bad line was on the disk, if there is one. */
  proof: string | undefined;
}

/**
 * Reads a journal, cuts its torn tail and drops segments that the history has outrun.
 *
 * @throws DamagedJournalError when the journal is damaged, ForeignJournalError when it is in another version of the format;
 *   nothing was changed then
 */
export function recoverJournal(options: RecoveryOptions): Recovery {
  const segments = findSegments(options);
  try {
    return recoverSegments(options, segments);
  } catch (error) {
    if (!(error instanceof DamagedJournalError)) throw error;
    throw new DamagedJournalError(error, error.reason, remedy(options, segments));
  }
}

function recoverSegments(options: RecoveryOptions, segments: FoundSegment[]): Recovery {
  const { fileSystem, directory, after, bootId } = options;
  const anew = { segments, isLastOpen: false, recovered: [], next: (after + 1) as Seq };
  const oldest = segments[0];
  if (oldest === undefined) return { ...anew, cut: undefined, passedOver: [] };
  if (oldest.first > after + 1) {
    throw new DamagedJournalError(
      { file: `${directory}/${oldest.name}`, offset: 0 },
      `it begins with commit ${String(oldest.first)}, but the history ends with ${String(after)}: ` +
        `commits ${String(after + 1)} to ${String(oldest.first - 1)} are in neither`,
    );
  }
  const start = segments.findLastIndex((segment) => segment.first <= after + 1);
  const recovered: Commit[] = [];
  const scan: Scan = {
    options,
    replay: options.replay ?? ((commit) => recovered.push(commit)),
    passedOver: [],
    next: segments[start]?.first ?? oldest.first,
    followsBadLine: false,
  };
  const bad = scanSegments(scan, segments, start);
  const cut = bad === undefined ? undefined : cutTail(options, segments, bad, refuseDamage(options, segments, bad));
  const { passedOver, next } = scan;
  if (next > after) {
    const isRead = bad === undefined || bad.offset > 0 || bad.index > start;
    const isLastOpen = isRead && isOfBoot(segments.at(-1)?.header, bootId);
    return { segments, isLastOpen, recovered, next, cut, passedOver };
  }
  while (segments.length > 0) fileSystem.remove(`${directory}/${segments.shift()?.name ?? ""}`);
  return { ...anew, cut, passedOver };
}

function findSegments({ fileSystem, directory }: RecoveryOptions): FoundSegment[] {
  return listSegments(fileSystem, directory).map((segment) =>
    withFile(fileSystem, `${directory}/${segment.name}`, (file) => {
      const bytes = file.size();
      const line = new LineReader(file).next(bytes);
      return { ...segment, bytes, header: line === undefined ? undefined : decodeHeader(line.text) };
    }),
  );
}

/** What a person can do about damage. */
function remedy(options: RecoveryOptions, segments: readonly FoundSegment[]): string {
  const { directory, after } = options;
  let last = 0;
  for (const { name } of segments) {
    withFile(options.fileSystem, `${directory}/${name}`, (file) => {
      forEachLine(file, 0, (text) => (last = Math.max(last, seqOfRecord(text) ?? 0)));
    });
  }
  const lost = last > after ? `commits ${String(after + 1)} to ${String(last)}` : `commits after ${String(after)}`;
  return (
    "Nothing was changed. Restore the state directory from a copy; or move " +
    `${directory} aside to go on from the end of the Git history, which loses ${lost}`
  );
}

function withFile<T>(fileSystem: FileSystem, path: string, use: (file: OpenFile) => T): T {
  const file = fileSystem.open(path, "read");
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function forEachLine(file: OpenFile, offset: number, use: (text: string, offset: number) => void): void {
  const reader = new LineReader(file, offset);
  const size = file.size();
  for (let line = reader.next(size); line !== undefined; line = reader.next(size)) use(line.text, line.offset);
}

function scanSegments(scan: Scan, segments: readonly FoundSegment[], start: number): BadLine | undefined {
  const { fileSystem, directory } = scan.options;
  for (let index = start; index < segments.length; index++) {
    const { name, first } = segments[index] as FoundSegment;
    const path = `${directory}/${name}`;
    if (first < scan.next) {
      throw new DamagedJournalError({ file: path, offset: 0 }, `commits from ${String(first)} on occur twice`);
    }
    if (first > scan.next) {
      return { kind: "gap", index, offset: 0, seq: scan.next, reason: missing(scan, first), text: "", isTail: false };
    }
    const problem = withFile(fileSystem, path, (file) => scanSegment(scan, file, path));
    if (problem !== undefined) return { index, seq: scan.next, ...problem };
  }
  return undefined;
}

function missing(scan: Scan, found: Seq): string {
  return `commit ${String(found)} follows, but ${String(scan.next)} was expected`;
}

/** The first problem of a segment, if it has one. */
function scanSegment(scan: Scan, file: OpenFile, path: string): Problem | undefined {
  const reader = new LineReader(file);
  const size = file.size();
  const header = reader.next(size);
  if (header !== undefined) {
    const reason = checkHeader(scan, header.text, path);
    if (reason !== undefined) return { kind: "header", offset: 0, reason, text: header.text, isTail: false };
  }
  for (let line = reader.next(size); line !== undefined; line = reader.next(size)) {
    const { offset, text } = line;
    const problem = takeRecord(scan, text, { file: path, offset });
    if (problem !== undefined) return { ...problem, offset, text, isTail: false };
  }
  const { offset, rest } = reader;
  if (header !== undefined && offset >= size) return undefined;
  const reason = "it ends in the middle of a line";
  const at = { file: path, offset };
  if (mayPassOver(scan, rest, at, reason)) return undefined;
  return { kind: header === undefined ? "header" : "line", offset, reason, text: rest, isTail: true };
}

/**
 * Checks the header of the segment that should start with `scan.next`.
 *
 * @throws DamagedJournalError when the header is whole and says that this is no segment of this journal
 */
function checkHeader(scan: Scan, text: string, file: string): string | undefined {
  const header = decodeHeader(text);
  const at = { file, offset: 0 };
  const { branch, directory } = scan.options;
  if (!header.ok) {
    if (header.isForeign) throw new ForeignJournalError({ file, directory }, header.damaged);
    if (header.intact) throw new DamagedJournalError(at, header.damaged);
    return mayPassOver(scan, text, at, header.damaged) ? undefined : header.damaged;
  }
  if (header.branch !== branch) {
    throw new DamagedJournalError(at, `it is the journal of branch ${header.branch}, not of ${branch}`);
  }
  if (header.first !== scan.next) {
    throw new DamagedJournalError(
      at,
      `the header says that it begins with commit ${String(header.first)}, which its name does not`,
    );
  }
  return undefined;
}

/**
 * Takes a line into the scan, or says what is wrong with it.
 *
 * @throws DamagedJournalError when no crash explains the line
 */
function takeRecord(scan: Scan, text: string, at: JournalPlace): Pick<Problem, "kind" | "reason"> | undefined {
  const { after } = scan.options;
  if (scan.next <= after && seqOfRecord(text) === scan.next) {
    scan.next++;
    scan.followsBadLine = false;
    return undefined;
  }
  const record = decodeRecord(text);
  if (!record.ok) {
    if (mayPassOver(scan, text, at, record.damaged)) return undefined;
    if (record.intact) throw new DamagedJournalError(at, `the line's checksum is right, but ${record.damaged}`);
    return { kind: "line", reason: record.damaged };
  }
  const { seq } = record.commit;
  if (seq < scan.next) throw new DamagedJournalError(at, `commit ${String(seq)} occurs twice`);
  if (seq > scan.next && seq > after + 1) {
    // Bytes that a crash loses leave zeros or the file's end, never the next line in their place.
    if (scan.next > after) throw new DamagedJournalError(at, missing(scan, seq));
    return { kind: "gap", reason: missing(scan, seq) };
  }
  if (seq > scan.next && !scan.followsBadLine) passOver(scan, at, missing(scan, seq));
  if (seq > after) scan.replay(record.commit);
  scan.next = (seq + 1) as Seq;
  scan.followsBadLine = false;
  return undefined;
}

/** Passes a bad line over, if its commit is safe elsewhere and it can hold no other (invariant 3); says whether it did. */
function mayPassOver(scan: Scan, text: string, at: JournalPlace, reason: string): boolean {
  const { after } = scan.options;
  const { followsBadLine } = scan;
  if (scan.next > after || mayHoldLaterCommit(text, { after, followsBadLine })) return false;
  passOver(scan, at, reason);
  scan.followsBadLine = true;
  return true;
}

function passOver(scan: Scan, { file, offset }: JournalPlace, reason: string): void {
  const last = scan.passedOver.at(-1);
  if (last !== undefined && scan.followsBadLine) scan.passedOver.splice(-1, 1, { ...last, lines: last.lines + 1 });
  else scan.passedOver.push({ file, offset, lines: 1, reason });
}

/**
 * Refuses the journal unless a crash explains the bad line (invariants 4 and 5); says what stands behind that.
 *
 * @throws DamagedJournalError
 */
function refuseDamage(options: RecoveryOptions, segments: readonly FoundSegment[], bad: BadLine): Behind {
  const { directory, bootId } = options;
  const { name } = segments[bad.index] as FoundSegment;
  const behind = lookBehind(options, segments, bad);
  const isThisBoot = segments.some(({ header }) => isOfBoot(header, bootId));
  const why =
    damagedNewline(bad, isThisBoot) ??
    (bad.kind === "header" ? damagedHeader(segments, bad, behind) : undefined) ??
    (isThisBoot ? unexplainedInThisBoot(segments, bad) : behind.proof);
  if (why === undefined) return behind;
  throw new DamagedJournalError(
    { file: `${directory}/${name}`, offset: bad.offset },
    `commit ${String(bad.seq)} cannot be read (${bad.reason}), although ${why}`,
  );
}

/** A whole record with no newline behind it, but something else. Zeros may be what a power cut left of lost bytes. */
function damagedNewline({ text }: BadLine, isThisBoot: boolean): string | undefined {
  const end = sealedBeginning(text);
  if (end === undefined || (text.charCodeAt(end) === 0 && !isThisBoot)) return undefined;
  return "a whole line stands there and only its newline is damaged";
}

/**
 * A header is the first thing that is written of a segment, and lies in one sector: a crash leaves all of it, a beginning
 * with nothing behind it, or zeros.
 */
function damagedHeader(segments: readonly FoundSegment[], bad: BadLine, behind: Behind): string | undefined {
  if (behind.goodLines === 0 && bad.index === segments.length - 1) return undefined;
  if (bad.text === "" || bad.text.startsWith("\0")) return undefined;
  return "lines of later commits follow that header";
}

function unexplainedInThisBoot(segments: readonly FoundSegment[], bad: BadLine): string | undefined {
  const last = segments.at(-1);
  const isLast = bad.index === segments.length - 1;
  const isUnfinished = bad.isTail || (bad.kind === "header" && bad.text.length + 1 === last?.bytes);
  if (isLast && isUnfinished) return undefined;
  return "the machine has not been started anew since the journal was written, so only its very end may be unfinished";
}

/** Reads what follows the bad line. */
function lookBehind(
  { fileSystem, directory }: RecoveryOptions,
  segments: readonly FoundSegment[],
  bad: BadLine,
): Behind {
  const behind: Behind = { goodLines: 0, proof: undefined };
  // Where a whole segment is missing, it stood behind the one before the gap.
  const lost = bad.kind === "gap" && bad.offset === 0 ? bad.index - 1 : bad.index;
  for (const [index, { name, header }] of segments.entries()) {
    if (index < bad.index) continue;
    if (index > lost && isOfAnotherBoot(segments[lost]?.header, header)) {
      behind.proof ??= `it was on the disk when ${name} was begun, as the boot id there says`;
    }
    withFile(fileSystem, `${directory}/${name}`, (file) => {
      forEachLine(file, index === bad.index ? bad.offset : 0, (text, offset) => {
        const record = decodeRecord(text);
        if (!record.ok) return;
        behind.goodLines++;
        if (record.synced < bad.seq) return;
        behind.proof ??=
          `it was synced to the disk, as the line of commit ${String(record.commit.seq)} says ` +
          `(${name}, byte ${String(offset)})`;
      });
    });
  }
  return behind;
}

function isOfAnotherBoot(one: DecodedHeader | undefined, other: DecodedHeader | undefined): boolean {
  if (one?.ok !== true || other?.ok !== true) return false;
  return one.version !== other.version || one.boot !== other.boot;
}

/** Removes everything from the bad line on, newest first, so that a crash in between leaves nothing that looks whole. */
function cutTail(
  { fileSystem, directory }: RecoveryOptions,
  segments: FoundSegment[],
  bad: BadLine,
  { goodLines }: Behind,
): Cut {
  const last = segments[bad.index] as FoundSegment;
  const file = `${directory}/${last.name}`;
  const keepsLast = bad.offset > 0;
  let bytes = last.bytes - bad.offset;
  while (segments.length > bad.index + (keepsLast ? 1 : 0)) {
    const gone = segments.pop() as FoundSegment;
    if (gone !== last) bytes += gone.bytes;
    fileSystem.remove(`${directory}/${gone.name}`);
  }
  if (keepsLast) {
    const open = fileSystem.open(file, "write");
    try {
      open.truncate(bad.offset);
      open.sync();
    } finally {
      open.close();
    }
    last.bytes = bad.offset;
  }
  fileSystem.syncDirectory(directory);
  return { file, offset: bad.offset, bytes, reason: bad.reason, goodLines };
}

/**
 * Recovery: what a journal says when the daemon starts, and the removal of what a crash left behind.
 *
 * Owns the decision between a torn tail, which is cut, and damage, which is refused. Must never drop a line whose commit
 * may have been acknowledged under the durability that was asked for. Source: design.md, "Journal and recorder".
 *
 * Seqs up to `after` are in sealed packs, which are on the disk: the journal is not asked about them, so a bad line among
 * them is passed over. From `after` + 1 on the lines must be good and their seqs without gap. From the first bad line on is
 * the unsynced tail, which a crash may have torn, and it is cut, later segments included. Four things are never cut but
 * refused with file and offset, because no crash makes them:
 *
 *  - a bad line although a later one says that it was synced;
 *  - a line with a right checksum and contents that are not ours to read (another version, an error of the daemon);
 *  - a seq that occurs twice;
 *  - a good line that does not follow the good line before it.
 *
 * A journal that begins after `after` + 1 is refused too: the history lost commits that it once had.
 */
import type { Seq } from "../../protocol/identifiers.js";
import type { FileSystem, OpenFile } from "../platform/file-system.js";
import type { Commit } from "../store/commit.js";
import { DamagedJournalError } from "./errors.js";
import { decodeRecord, seqOfRecord } from "./record.js";
import { decodeHeader, LineReader, listSegments, type SegmentName } from "./segment.js";

/** A segment and its size. */
export interface Segment extends SegmentName {
  /** Bytes up to the end of its last good line. */
  bytes: number;
}

/** What was cut off a journal's end. */
export interface Cut {
  /** Absolute path of the segment with the first bad line. */
  readonly file: string;
  /** Where that line began, in bytes. */
  readonly offset: number;
  /** How much was cut, in this segment and later ones. */
  readonly bytes: number;
  /** What was wrong with the line. */
  readonly reason: string;
}

/** A journal as it is after recovery. */
export interface Recovery {
  /** The segments that are left, oldest first. */
  readonly segments: Segment[];
  /** Whether the last of them was read to its end and ends with the line before `next`: it can be appended to. */
  readonly lastIsWhole: boolean;
  /** The commits after `after`, in order. */
  readonly recovered: Commit[];
  /** The seq that the next commit will have. */
  readonly next: Seq;
  readonly cut: Cut | undefined;
}

/** Which journal to recover. */
export interface RecoveryOptions {
  readonly fileSystem: FileSystem;
  /** Absolute path. */
  readonly directory: string;
  readonly branch: string;
  /** The last seq in sealed packs. */
  readonly after: Seq;
}

/** The state of a scan. */
interface Scan {
  readonly options: RecoveryOptions;
  readonly recovered: Commit[];
  /** The seq that the next line should have. */
  next: Seq;
}

/** The first bad line. */
interface BadLine {
  /** Index of its segment. */
  readonly index: number;
  readonly offset: number;
  /** The seq that it should have had. */
  readonly seq: Seq;
  readonly reason: string;
}

/**
 * Reads a journal, cuts its torn tail and drops segments that the history has outrun.
 *
 * @throws DamagedJournalError when the journal is damaged; nothing was changed then
 */
export function recoverJournal(options: RecoveryOptions): Recovery {
  const { fileSystem, directory, after } = options;
  const segments = listSegments(fileSystem, directory).map((segment) => ({
    ...segment,
    bytes: withFile(fileSystem, `${directory}/${segment.name}`, (file) => file.size()),
  }));
  const oldest = segments[0];
  if (oldest === undefined)
    return { segments, lastIsWhole: false, recovered: [], next: (after + 1) as Seq, cut: undefined };
  if (oldest.first > after + 1) {
    throw new DamagedJournalError(
      { file: `${directory}/${oldest.name}`, offset: 0 },
      `it begins with commit ${String(oldest.first)}, but the history ends with ${String(after)}: ` +
        `commits ${String(after + 1)} to ${String(oldest.first - 1)} are in neither`,
    );
  }
  const start = segments.findLastIndex((segment) => segment.first <= after + 1);
  const scan: Scan = { options, recovered: [], next: segments[start]?.first ?? oldest.first };
  const bad = scanSegments(scan, segments, start);
  if (bad !== undefined) refuseWhenSynced(options, segments, bad);
  const cut = bad === undefined ? undefined : cutTail(options, segments, bad);
  if (scan.next > after) {
    const lastIsWhole = bad === undefined || bad.offset > 0 || bad.index > start;
    return { segments, lastIsWhole, recovered: scan.recovered, next: scan.next, cut };
  }
  while (segments.length > 0) fileSystem.remove(`${directory}/${segments.shift()?.name ?? ""}`);
  return { segments, lastIsWhole: false, recovered: [], next: (after + 1) as Seq, cut };
}

function withFile<T>(fileSystem: FileSystem, path: string, use: (file: OpenFile) => T): T {
  const file = fileSystem.open(path, "read");
  try {
    return use(file);
  } finally {
    file.close();
  }
}

function scanSegments(scan: Scan, segments: readonly Segment[], start: number): BadLine | undefined {
  const { fileSystem, directory } = scan.options;
  for (let index = start; index < segments.length; index++) {
    const { name, first } = segments[index] as Segment;
    const path = `${directory}/${name}`;
    if (first < scan.next) {
      throw new DamagedJournalError({ file: path, offset: 0 }, `commits from ${String(first)} on occur twice`);
    }
    if (first > scan.next) return { index, offset: 0, seq: scan.next, reason: missing(scan, first) };
    const bad = withFile(fileSystem, path, (file) => scanSegment(scan, file, path));
    if (bad !== undefined) return { index, seq: scan.next, ...bad };
  }
  return undefined;
}

function missing(scan: Scan, found: Seq): string {
  return `commit ${String(found)} follows, but ${String(scan.next)} was expected`;
}

/** Where the first bad line of a segment begins and what is wrong with it, if there is one. */
function scanSegment(scan: Scan, file: OpenFile, path: string): Omit<BadLine, "index" | "seq"> | undefined {
  const reader = new LineReader(file);
  const size = file.size();
  const header = reader.next(size);
  if (header !== undefined) {
    const reason = checkHeader(scan, header.text, path);
    if (reason !== undefined) return { offset: 0, reason };
  }
  for (let line = reader.next(size); line !== undefined; line = reader.next(size)) {
    const reason = takeRecord(scan, line.text, { file: path, offset: line.offset });
    if (reason !== undefined) return { offset: line.offset, reason };
  }
  const torn = header === undefined || reader.offset < size;
  if (!torn || scan.next <= scan.options.after) return undefined;
  return { offset: reader.offset, reason: "it ends in the middle of a line" };
}

/**
 * Checks the header of the segment that should start with `scan.next`.
 *
 * @throws DamagedJournalError when the header is whole and says that this is no segment of this journal
 */
function checkHeader(scan: Scan, text: string, file: string): string | undefined {
  const header = decodeHeader(text);
  if (!header.ok) {
    if (header.intact) throw new DamagedJournalError({ file, offset: 0 }, header.damaged);
    return scan.next <= scan.options.after ? undefined : header.damaged;
  }
  const { branch } = scan.options;
  if (header.branch !== branch) {
    throw new DamagedJournalError(
      { file, offset: 0 },
      `it is the journal of branch ${header.branch}, not of ${branch}`,
    );
  }
  if (header.first !== scan.next) {
    throw new DamagedJournalError(
      { file, offset: 0 },
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
function takeRecord(scan: Scan, text: string, at: { file: string; offset: number }): string | undefined {
  const { after } = scan.options;
  if (scan.next <= after && seqOfRecord(text) === scan.next) {
    scan.next++;
    return undefined;
  }
  const record = decodeRecord(text);
  if (!record.ok) {
    if (scan.next <= after) return undefined;
    if (record.intact) throw new DamagedJournalError(at, `the line's checksum is right, but ${record.damaged}`);
    return record.damaged;
  }
  const { seq } = record.commit;
  if (seq < scan.next) throw new DamagedJournalError(at, `commit ${String(seq)} occurs twice`);
  if (seq > scan.next && seq > after + 1) {
    // Bytes that a crash loses leave zeros or the file's end, never the next line in their place.
    if (scan.next > after) throw new DamagedJournalError(at, missing(scan, seq));
    return missing(scan, seq);
  }
  if (seq > after) scan.recovered.push(record.commit);
  scan.next = (seq + 1) as Seq;
  return undefined;
}

/** Looks for a line after the bad one that proves that the bad one was on the disk, and refuses the journal then. */
function refuseWhenSynced(
  { fileSystem, directory }: RecoveryOptions,
  segments: readonly Segment[],
  bad: BadLine,
): void {
  for (const [index, { name }] of segments.entries()) {
    if (index < bad.index) continue;
    withFile(fileSystem, `${directory}/${name}`, (file) => {
      const reader = new LineReader(file, index === bad.index ? bad.offset : 0);
      const size = file.size();
      for (let line = reader.next(size); line !== undefined; line = reader.next(size)) {
        const record = decodeRecord(line.text);
        if (!record.ok || record.synced < bad.seq) continue;
        throw new DamagedJournalError(
          { file: `${directory}/${segments[bad.index]?.name ?? ""}`, offset: bad.offset },
          `commit ${String(bad.seq)} cannot be read (${bad.reason}), although it was synced to the disk, as the line of commit ` +
            `${String(record.commit.seq)} says (${name}, byte ${String(line.offset)})`,
        );
      }
    });
  }
}

/** Removes everything from the bad line on, newest first, so that a crash in between leaves nothing that looks whole. */
function cutTail({ fileSystem, directory }: RecoveryOptions, segments: Segment[], bad: BadLine): Cut {
  const last = segments[bad.index] as Segment;
  const file = `${directory}/${last.name}`;
  const keepsLast = bad.offset > 0;
  let bytes = last.bytes - bad.offset;
  while (segments.length > bad.index + (keepsLast ? 1 : 0)) {
    const gone = segments.pop() as Segment;
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
  return { file, offset: bad.offset, bytes, reason: bad.reason };
}

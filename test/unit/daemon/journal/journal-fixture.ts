/** A journal on a disk in memory that fails on command, and what the tests of the journal do with it. */
import type { Commit } from "../../../../daemon/store/commit.js";
import type { Seq } from "../../../../protocol/identifiers.js";
import { openJournal, type Durability, type Journal, type OpenedJournal } from "../../../../daemon/journal/journal.js";
import { createFaultyFileSystem, type FaultyFileSystem } from "../../../support/faulty-file-system.js";
import { createMemoryFileSystem, type MemoryFileSystem } from "../../../support/memory-file-system.js";
import { commitsFrom } from "./sample-commits.js";

export const directory = "/state/journal/main";
/** The segment that a new journal begins with. */
export const firstSegment = `${directory}/0000000000000001.journal`;

/** The boot in which the journal is opened unless a test says otherwise. */
export const thisBoot = "b0000000-0000-4000-8000-000000000001";
/** Another one. */
export const otherBoot = "b0000000-0000-4000-8000-000000000002";

/** The disk itself; replaced by `freshDisk`. */
export let memory: MemoryFileSystem;
/** The disk as the journal sees it. */
export let disk: FaultyFileSystem;

/** Goes on with an empty disk. */
export function freshDisk(): void {
  memory = createMemoryFileSystem();
  disk = createFaultyFileSystem(memory);
}

/** How a test opens the journal. */
export interface OpenOptions {
  readonly after?: number;
  readonly durability?: Durability;
  readonly segmentBytesMax?: number;
  readonly bootId?: string | undefined;
  readonly replay?: (commit: Commit) => void;
  readonly redact?: ((commit: Commit) => Commit) | undefined;
}

/** Opens the journal on the disk. */
export function open({ after = 0, ...rest }: OpenOptions = {}): OpenedJournal {
  return openJournal({
    fileSystem: disk,
    directory,
    durability: "process",
    after: after as Seq,
    bootId: thisBoot,
    ...rest,
  });
}

/** The commits that a restart finds. */
export function recovered(after = 0, rest: OpenOptions = {}): number[] {
  const opened = open({ after, ...rest });
  opened.journal.close();
  return opened.recovered.map((commit) => commit.seq);
}

/** A journal with commits 1 to `last`, one append each, in segments of about three commits. */
export function filled(last: number, options: OpenOptions = {}): Journal {
  const { journal } = open({ segmentBytesMax: 500, ...options });
  for (const commit of commitsFrom(1, last)) journal.append([commit]);
  return journal;
}

/** The seqs from `first` to `last`. */
export function seqs(first: number, last: number): number[] {
  return commitsFrom(first, last).map((commit) => commit.seq);
}

/** The text of a file. */
export function contentOf(path: string): string {
  return Buffer.from(memory.readFile(path)).toString("latin1");
}

/** Replaces the text of a file. */
export function overwrite(path: string, content: string): void {
  const file = memory.open(path, "write");
  file.truncate(0);
  file.write(Buffer.from(content, "latin1"), 0);
  file.close();
}

/** Flips a bit in a line of a file. */
export function damageLine(path: string, index: number): void {
  const lines = contentOf(path).split("\n");
  lines[index] = lines[index]?.replace("socket-17", "socket-37") ?? "";
  overwrite(path, lines.join("\n"));
}

/**
 * How fast commits become history: the recorder against `git fast-import`, side by side on the same commits.
 *
 * Owns the comparison. Both are given one value at depth 7 per commit, the domains in turn, and must end with a pack, an
 * index and a branch; since everything that an oid depends on is the same, they must end with the same tip, which is
 * checked. The recorder runs as in the daemon: its worker thread follows a journal that was written before, and seals as
 * it goes. `git fast-import` reads its stream from a file. isomorphic-git's `commit` makes the same kind of commit, for
 * scale. A directory of 6,000 long names, which dom0 may have and few do, is recorded by the recorder alone, for its bytes.
 */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import git from "isomorphic-git";
import type { Seq } from "../../protocol/identifiers.js";
import { committerSecondsOf, serializeCommit } from "../../daemon/history/object/commit-object.js";
import { hashObject, type Oid } from "../../daemon/history/object/oid.js";
import { encodeRoot } from "../../daemon/history/object/root-encoder.js";
import { createRepository } from "../../daemon/history/repository/layout.js";
import { startRecorder } from "../../daemon/history/recorder/handle.js";
import { openJournal, type JournalPosition } from "../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import type { Commit } from "../../daemon/store/commit.js";
import { applyChanges } from "../../daemon/store/diff.js";
import { emptyRoot } from "../../daemon/store/root.js";
import { median, type BenchmarkOptions, type Figures } from "./figures.js";
import {
  firstCommit,
  streamCommit,
  streamCommits,
  streamPath,
  streamValue,
  type CommitStream,
} from "../support/commit-stream.js";
import { largeDirectoryCommits } from "../support/large-directory.js";

const HOST_NAME = "bench";
const JOURNAL_BATCH = 64;
const COMMITS = 60_000;
const ROUNDS = 5;
const ISOMORPHIC_COMMITS = 300;
const LARGE_DIRECTORY = { children: 6000, nameBytes: 205 };
/** A large directory takes so many times as long. */
const LARGE_COMMITS_PART = 1 / 20;

/** What to compare. */
interface HistoryBench {
  readonly commits: number;
  readonly rounds: number;
  /** Where the states are made, and removed afterwards. */
  readonly directory: string;
}

/**
 * Compares the two on streams of 10 and of 1,000 domains, and adds the large directory and isomorphic-git.
 *
 * The states are made in the directory that `TMPDIR` names: on a disk the two wait for it, in memory they show their own
 * cost.
 */
export async function benchHistory({ rounds = ROUNDS, commits = COMMITS }: BenchmarkOptions): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-history-"));
  const bench = { commits, rounds, directory };
  try {
    return {
      commits,
      "10 domains": await compare({ domains: 10 }, bench),
      "1000 domains": await compare({ domains: 1000 }, bench),
      "6000 long names": await recordLargeDirectory(bench),
      isomorphicGitCommitsPerSecond: Math.round(await isomorphicGitRate(ISOMORPHIC_COMMITS)),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function compare(stream: CommitStream, bench: HistoryBench): Promise<Figures> {
  const directory = join(bench.directory, String(stream.domains));
  mkdirSync(directory);
  const importFile = join(directory, "stream");
  writeImportStream(importFile, stream, bench.commits);
  const recorderRates: number[] = [];
  const importRates: number[] = [];
  const ratios: number[] = [];
  let recorderBytes = 0;
  let importBytes = 0;
  let gcBytes = 0;
  for (let round = 0; round < bench.rounds; round++) {
    const state = join(directory, `state-${String(round)}`);
    const end = writeJournal(state, streamCommits(stream, 1, bench.commits));
    const recorded = await timeRecorder(state, end);
    const imported = join(directory, `import-${String(round)}.git`);
    const importSeconds = timeFastImport(imported, importFile);
    const tip = execFileSync("git", ["-C", imported, "rev-parse", "refs/heads/main"], { encoding: "utf8" }).trim();
    if (tip !== recorded.tip)
      throw new Error(`the recorder ended with ${String(recorded.tip)}, git fast-import with ${tip}`);
    recorderRates.push(bench.commits / recorded.seconds);
    importRates.push(bench.commits / importSeconds);
    ratios.push(importSeconds / recorded.seconds);
    const repository = join(state, "store.git");
    recorderBytes = packBytes(repository);
    importBytes = packBytes(imported);
    if (round === bench.rounds - 1) {
      execFileSync("git", ["-C", repository, "gc", "--quiet"], { stdio: "pipe" });
      gcBytes = packBytes(repository);
    }
    rmSync(state, { recursive: true, force: true });
    rmSync(imported, { recursive: true, force: true });
    process.stderr.write(
      `${String(stream.domains)} domains, round ${String(round + 1)}: recorder ${rate(recorderRates)} commits/s, git fast-import ${rate(importRates)} commits/s
`,
    );
  }
  return {
    recorderCommitsPerSecond: Math.round(median(recorderRates)),
    fastImportCommitsPerSecond: Math.round(median(importRates)),
    // The median of the rounds' ratios, the recorder's rate over that of git fast-import.
    ratio: Number(median(ratios).toFixed(1)),
    recorderBytesPerCommit: Math.round(recorderBytes / bench.commits),
    fastImportBytesPerCommit: Math.round(importBytes / bench.commits),
    afterGcBytesPerCommit: Math.round(gcBytes / bench.commits),
  };
}

async function recordLargeDirectory(bench: HistoryBench): Promise<Figures> {
  const commits = Math.ceil(bench.commits * LARGE_COMMITS_PART);
  const state = join(bench.directory, "large");
  const recorded = await timeRecorder(state, writeJournal(state, largeDirectoryCommits(LARGE_DIRECTORY, commits)));
  return {
    commits,
    recorderCommitsPerSecond: Math.round(commits / recorded.seconds),
    recorderBytesPerCommit: Math.round(packBytes(join(state, "store.git")) / commits),
  };
}

function rate(rates: readonly number[]): string {
  return String(Math.round(rates.at(-1) ?? 0));
}

/** Writes the journal that the recorder will follow. */
function writeJournal(state: string, commits: Iterable<Commit>): JournalPosition {
  const directory = join(state, "journal", "main");
  const { journal } = openJournal({ fileSystem: nodeFileSystem, directory, after: 0 as Seq, durability: "process" });
  let batch: Commit[] = [];
  for (const commit of commits) {
    batch.push(commit);
    if (batch.length < JOURNAL_BATCH) continue;
    journal.append(batch);
    batch = [];
  }
  if (batch.length > 0) journal.append(batch);
  const end = journal.position();
  journal.close();
  return end;
}

async function timeRecorder(
  stateDirectory: string,
  end: JournalPosition,
): Promise<{ readonly seconds: number; readonly tip: string | undefined }> {
  createRepository(nodeFileSystem, join(stateDirectory, "store.git"));
  const recorder = await startRecorder({ stateDirectory, branch: "main", hostName: HOST_NAME });
  const start = performance.now();
  recorder.publish(end);
  const status = await recorder.flush();
  const seconds = (performance.now() - start) / 1000;
  await recorder.close();
  return { seconds, tip: status.tip };
}

function timeFastImport(repository: string, streamFile: string): number {
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", repository]);
  const input = openSync(streamFile, "r");
  try {
    const start = performance.now();
    execFileSync("git", ["-C", repository, "fast-import", "--quiet"], { stdio: [input, "ignore", "inherit"] });
    return (performance.now() - start) / 1000;
  } finally {
    closeSync(input);
  }
}

function packBytes(repository: string): number {
  const directory = join(repository, "objects", "pack");
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

/** Writes the same commits as a stream for `git fast-import`: the first with all files, the others with one each. */
function writeImportStream(file: string, stream: CommitStream, commits: number): void {
  const output = openSync(file, "wx");
  try {
    let parentSeconds = 0;
    let pending = "";
    for (let seq = 1; seq <= commits; seq++) {
      const commit = seq === 1 ? firstCommit(stream) : streamCommit(stream, seq);
      // Only the message and the date are taken from it: tree and parents are Git's to find.
      const place = { tree: "\0".repeat(20) as Oid, parents: [], parentSeconds, hostName: HOST_NAME };
      const text = serializeCommit(commit, place);
      parentSeconds = committerSecondsOf(commit, parentSeconds);
      const [head, message] = splitOnce(text, "\n\n");
      pending += `commit refs/heads/main\n${head.slice(head.indexOf("\n") + 1)}\ndata ${String(message.length)}\n${message}\n`;
      if (seq === 1) pending += importFiles(commit);
      else pending += importFile(streamPath(stream, seq).slice(1), streamValue(seq));
      if (pending.length > 1 << 20 || seq === commits) {
        writeSync(output, pending, undefined, "latin1");
        pending = "";
      }
    }
  } finally {
    closeSync(output);
  }
}

function splitOnce(text: string, separator: string): readonly [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

function importFile(path: string, content: string): string {
  return `M 100644 inline ${path}\ndata ${String(content.length)}\n${content}\n`;
}

/** All files of the first commit's tree, dot files too, found by encoding its root. */
function importFiles(commit: ReturnType<typeof firstCommit>): string {
  const root = applyChanges(emptyRoot(), commit.changes, commit.seq);
  const blobs = new Map<Oid, string>();
  const trees = new Map<Oid, string>();
  const top = encodeRoot(root, (type, content) => {
    const oid = hashObject(type, content);
    (type === "blob" ? blobs : trees).set(oid, content);
    return oid;
  });
  let text = "";
  const pending: { readonly path: string; readonly oid: Oid }[] = [{ path: "", oid: top }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const content = trees.get(next.oid) ?? "";
    for (let at = 0; at < content.length;) {
      const blank = content.indexOf(" ", at);
      const end = content.indexOf("\0", blank);
      const path = next.path + content.slice(blank + 1, end);
      const oid = content.slice(end + 1, end + 21) as Oid;
      if (trees.has(oid)) pending.push({ path: `${path}/`, oid });
      else text += importFile(path, blobs.get(oid) ?? "");
      at = end + 21;
    }
  }
  return text;
}

/** Commits a second that isomorphic-git's `commit` makes of the same shape: a new blob, seven trees, a commit. */
async function isomorphicGitRate(commits: number): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-isomorphic-"));
  try {
    await git.init({ fs, gitdir: directory, dir: directory, bare: true, defaultBranch: "main" });
    const names = streamPath({ domains: 10 }, 1).split("/").slice(1);
    const author = { name: "dom0", email: `dom0@${HOST_NAME}`, timestamp: 1, timezoneOffset: 0 };
    const start = performance.now();
    for (let seq = 1; seq <= commits; seq++) {
      let oid = await git.writeBlob({ fs, gitdir: directory, blob: Buffer.from(streamValue(seq)) });
      for (let depth = names.length - 1; depth >= 0; depth--) {
        const isLeaf = depth === names.length - 1;
        const entry = {
          mode: isLeaf ? "100644" : "040000",
          path: names[depth] ?? "",
          oid,
          type: isLeaf ? "blob" : "tree",
        } as const;
        oid = await git.writeTree({ fs, gitdir: directory, tree: [entry] });
      }
      await git.commit({
        fs,
        gitdir: directory,
        message: `WRITE ${String(seq)}`,
        author,
        committer: author,
        tree: oid,
        ref: "refs/heads/main",
      });
    }
    return commits / ((performance.now() - start) / 1000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * The forks of a daemon: other branches of its history, live and writable beside main.
 *
 * Owns which forks there are, their sockets and their lives. Each has its own store, journal directory and thread
 * (`fork-worker.ts`); all are recorded by main's recorder thread into the one repository. Source: design.md, "Branches".
 *
 *   create:  note ──► ref at the base ──► thread ──► served         what fails takes back what was made
 *   delete:  note says so ──► thread stopped ──► main sealed, if it was merged ──► journal, index, ref removed ──► note removed
 *   start:   all notes are read; then, one after the other, a deletion is brought to its end, a ref that a crash kept from being
 *            made is made, and the fork is served
 *
 * Invariants
 *  1. A fork is told to be there when its note, its ref and its socket are; one that was told to be deleted never comes back.
 *  2. Main never waits for a fork: neither at the start nor in a tick.
 *  3. Before a fork's commits may become unreachable, main's merges of them are in the history, which reaches them from then on.
 *  4. One fork is made or deleted at a time.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { forkNameProblem } from "../protocol/fork-name.js";
import type { ForkJson } from "../protocol/http-api/forks.js";
import type { BranchConfig } from "./branch.js";
import { endsInTime } from "./ends-in-time.js";
import {
  forkFailuresFile,
  type ForkNote,
  listForkNotes,
  noteForkDeletion,
  readForkNote,
  removeForkNote,
  UNKNOWN_BASE,
  unknownNote,
  writeForkNote,
} from "./fork-note.js";
import { ForkThread } from "./fork-thread.js";
import { hexFromOid, oidFromHex } from "./history/object/oid.js";
import type { MainRecorder } from "./history/recorder/handle.js";
import { refOfBranch } from "./history/repository/layout.js";
import { RefStore } from "./history/repository/ref-store.js";
import { removeSeqIndex } from "./history/repository/seq-index-writer.js";
import { UnknownForkError } from "./http/branch-link.js";
import type { CoreLink, ForkOutcome, ForkQuestions, Link, NewFork, NotedMerge } from "./http/messages.js";
import { messageOf } from "./platform/error-message.js";
import type { FileSystem } from "./platform/file-system.js";
import type { Logger } from "./platform/log.js";
import { makePrivateDirectory } from "./platform/private-directory.js";
import { journalDirectory } from "./journal/journal-directory.js";
import { bytesTooMany } from "./server/socket-path.js";
import type { ListenerKind } from "./server/choose-listener.js";

/** Each costs a thread, and memory for what of its state differs from no other's. */
const FORKS_MAX = 16;
/** Longest that who reads the history waits for a fork. */
const FLUSH_MILLISECONDS_MAX = 5000;

/** What forks work with. */
export interface ForksOptions {
  readonly fileSystem: FileSystem;
  readonly logger: Logger;
  readonly runDirectory: string;
  /** Of main: forks keep their commits as safe. */
  readonly config: Omit<BranchConfig, "branch" | "failuresFile" | "sockets">;
  /** What carries their sockets. */
  readonly listenerKind: ListenerKind;
  /** Main's. */
  readonly recorder: Pick<MainRecorder, "openFork" | "flush">;
}

type Life =
  /** Without a thread it waits for its turn. */
  | { readonly state: "starting"; readonly thread?: ForkThread }
  | { readonly state: "served"; readonly thread: ForkThread }
  | { readonly state: "failed"; readonly reason: string };

interface Fork {
  note: ForkNote;
  life: Life;
}

/** The directory of the forks' sockets. */
export function branchesDirectory(runDirectory: string): string {
  return join(runDirectory, "branches");
}

/** The forks of one daemon. */
export class Forks {
  readonly #options: ForksOptions;
  readonly #refs: RefStore;
  readonly #forks = new Map<string, Fork>();
  /** Invariant 4. */
  #last: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: ForksOptions) {
    this.#options = options;
    this.#refs = new RefStore(options.fileSystem, options.config.repositoryDirectory);
  }

  /**
   * Serves the forks that an earlier life of the daemon left; resolves when each is served or has been told of in the log. When
   * it returns, all of them are known, so that no other takes a name.
   */
  start(): Promise<void> {
    const found = this.#noteNames().map((name) => this.#find(name));
    for (const fork of found) this.#forks.set(fork.note.name, fork);
    return this.#startEach(found);
  }

  #noteNames(): readonly string[] {
    const { fileSystem, config, logger } = this.#options;
    try {
      const names = listForkNotes(fileSystem, config.stateDirectory);
      return names.filter((name) => forkNameProblem(name) === undefined);
    } catch (error) {
      // Main is served all the same.
      logger.error(`the forks cannot be served: ${messageOf(error)}`);
      return [];
    }
  }

  #find(name: string): Fork {
    const { fileSystem, config } = this.#options;
    try {
      const note = readForkNote(fileSystem, config.stateDirectory, name);
      if (note !== undefined) return { note, life: { state: "starting" } };
    } catch (error) {
      return { note: unknownNote(name), life: { state: "failed", reason: messageOf(error) } };
    }
    return { note: unknownNote(name), life: { state: "failed", reason: "its note has gone" } };
  }

  async #startEach(forks: readonly Fork[]): Promise<void> {
    for (const fork of forks) {
      const { name } = fork.note;
      try {
        if (fork.life.state === "failed") throw new Error(fork.life.reason);
        await this.#inTurn(() => this.#resume(fork));
      } catch (error) {
        if (fork.life.state === "starting") fork.life = { state: "failed", reason: messageOf(error) };
        if (!this.#isClosed) this.#options.logger.error(`a fork cannot be served: ${messageOf(error)}`, { fork: name });
      }
    }
  }

  /** All forks, by name. */
  list(): ForkJson[] {
    return [...this.#forks.values()]
      .map((fork) => this.#describe(fork))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** What answers questions about a fork's store. @throws UnknownForkError, or an error for people when it is not served */
  link(name: string): CoreLink {
    const fork = this.#forks.get(name);
    if (fork === undefined) throw new UnknownForkError(name);
    if (fork.life.state === "served") return fork.life.thread;
    throw new Error(
      fork.life.state === "failed"
        ? `the fork ${name} is not served: ${fork.life.reason}`
        : `the fork ${name} is being started: ask again in a moment`,
    );
  }

  /** Seals what the forks of these names have committed; resolves to why some cannot be, in words. */
  async flush(isMeant: (name: string) => boolean): Promise<readonly string[]> {
    const behind = await Promise.all(
      [...this.#forks].map(async ([name, { life }]) => {
        if (life.state !== "served" || !isMeant(name)) return [];
        const told = await flushThread(life.thread);
        return told === undefined ? [] : [`fork ${name}: ${told}`];
      }),
    );
    return behind.flat();
  }

  /** Makes a fork; resolves when it is served. */
  create({ name, base, baseSeq }: NewFork): Promise<ForkOutcome> {
    return this.#inTurn(async () => {
      const mistake = this.#mistake(name);
      if (mistake !== undefined) return { mistake };
      const fork: Fork = { note: { name, base, baseSeq, isDeleted: false }, life: { state: "starting" } };
      this.#forks.set(name, fork);
      try {
        // A power cut may have brought back what belonged to an earlier fork of this name.
        this.#removeDerived(name);
        this.#write(fork.note);
        await this.#serve(fork);
      } catch (error) {
        this.#takeBack(fork);
        return { refusal: `the fork ${name} cannot be served: ${messageOf(error)}` };
      }
      return { fork: this.#describe(fork) };
    });
  }

  /** Deletes a fork with its commits, but for those that were merged. */
  delete(name: string): Promise<ForkOutcome> {
    return this.#inTurn(async () => {
      const fork = this.#forks.get(name);
      if (fork === undefined) return { mistake: `there is no fork ${name}: xs branches lists them` };
      const told = this.#describe(fork);
      try {
        // Before anything is done, where it cannot be done.
        await this.#sealMerges(fork);
        this.#noteDeletion(fork.note);
      } catch (error) {
        return { refusal: `the fork ${name} cannot be deleted now: ${messageOf(error)}` };
      }
      fork.note = { ...fork.note, isDeleted: true };
      if (fork.life.state !== "failed") await fork.life.thread?.stop();
      fork.life = { state: "failed", reason: "it is being deleted" };
      try {
        const tip = this.#refs.read(refOfBranch(name));
        await this.#finishDeletion(fork);
        return { fork: { ...told, tip: tip === undefined ? undefined : hexFromOid(tip) } };
      } catch (error) {
        const text = `the fork ${name} is not served any more, but its deletion must be repeated: ${messageOf(error)}`;
        return { refusal: text };
      }
    });
  }

  /** Takes down a merge of a fork into main. */
  noteMerge({ name, merge, pending }: NotedMerge): void {
    const fork = this.#forks.get(name);
    if (fork === undefined || fork.note.isDeleted) throw new UnknownForkError(name);
    const note = { ...fork.note, merge, pending };
    this.#write(note);
    fork.note = note;
  }

  /** Answers the console's questions about the forks. */
  questions(): Link<ForkQuestions> {
    const answers: { readonly [Name in keyof ForkQuestions]: (asked: ForkQuestions[Name]["asked"]) => unknown } = {
      forks: () => this.list(),
      createFork: (fork) => this.create(fork),
      deleteFork: (name) => this.delete(name),
      noteMerge: (noted) => {
        this.noteMerge(noted);
      },
    };
    return { ask: async (name, asked) => (await answers[name](asked)) as never };
  }

  /** Has all forks seal what they acknowledged, and ends them; resolves to whether all have ended well. */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    const ends = await Promise.all(
      [...this.#forks.values()].map(async ({ life }) =>
        life.state === "failed" || life.thread === undefined ? true : await life.thread.stop(),
      ),
    );
    return ends.every(Boolean);
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      if (this.#isClosed) throw new Error("the daemon stops");
      return await act();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  #write(note: ForkNote): void {
    writeForkNote(this.#options.fileSystem, this.#options.config.stateDirectory, note);
  }

  #noteDeletion(note: ForkNote): void {
    noteForkDeletion(this.#options.fileSystem, this.#options.config.stateDirectory, note);
  }

  /** Why no fork can have this name; undefined when one can. */
  #mistake(name: string): string | undefined {
    const problem = forkNameProblem(name);
    if (problem !== undefined) return problem;
    if (this.#forks.has(name)) return `there is a fork ${name} already: choose another name, or delete it first`;
    if (this.#refs.read(refOfBranch(name)) !== undefined) {
      return `there is a branch ${name} already, which is no fork of this daemon: choose another name`;
    }
    if (this.#refs.read(`refs/tags/${name}`) !== undefined) {
      return `there is a tag ${name}, which would hide a branch of that name: choose another name`;
    }
    if (this.#forks.size >= FORKS_MAX) return `there are ${String(FORKS_MAX)} forks already: delete one first`;
    const longest = join(this.#sockets(name).domains, "65535");
    const tooMany = bytesTooMany(longest);
    if (tooMany === 0) return undefined;
    return (
      `the sockets of a fork ${name} would have paths such as ${longest}, ${String(tooMany)} bytes longer than a Unix socket ` +
      `address holds: ${adviceOnName(name.length - tooMany)}`
    );
  }

  async #resume(fork: Fork): Promise<void> {
    const { name } = fork.note;
    // It may have been deleted before its turn came.
    if (this.#forks.get(name) !== fork) return;
    // An earlier life may have left them; nobody else writes this ref.
    this.#refs.removeStaleLocks([refOfBranch(name)]);
    if (fork.note.isDeleted) await this.#finishDeletion(fork);
    else await this.#serve(fork);
  }

  /** Serves a fork that has a note. Of one that cannot be served it is kept why. */
  async #serve(fork: Fork): Promise<void> {
    const { name, base } = fork.note;
    try {
      const ref = refOfBranch(name);
      const isNew = this.#refs.read(ref) === undefined;
      if (isNew) this.#refs.update(ref, { expected: undefined, to: oidFromHex(base) });
      const thread = this.#startThread(fork, isNew);
      fork.life = { state: "starting", thread };
      await thread.started;
      fork.life = { state: "served", thread };
    } catch (error) {
      fork.life = { state: "failed", reason: messageOf(error) };
      throw error;
    }
  }

  #startThread(fork: Fork, isNew: boolean): ForkThread {
    const { config, recorder, logger } = this.#options;
    const { name, base, baseSeq } = fork.note;
    const { stateDirectory, redact = [], ...shared } = config;
    const sockets = this.#sockets(name);
    makePrivateDirectory(sockets.domains);
    const failuresFile = forkFailuresFile(stateDirectory, name);
    const data = {
      config: { ...shared, stateDirectory, branch: name, failuresFile, sockets },
      base,
      baseSeq,
      isNew,
      redact: redact.map(({ text }) => text),
      listenerKind: this.#options.listenerKind,
    };
    return new ForkThread(data, {
      record: () =>
        recorder.openFork({
          ref: refOfBranch(name),
          journalDirectory: journalDirectory(stateDirectory, name),
          forkedFrom: { oid: oidFromHex(base), seq: baseSeq },
        }),
      log: (level, message, fields) => {
        logger.log(level, message, { fork: name, ...fields });
      },
      died: (reason) => {
        fork.life = { state: "failed", reason };
        logger.error(`a fork died, and is served again when the daemon is started: ${reason}`, { fork: name });
      },
    });
  }

  /** Of a fork that could not be made nothing stays; where the disk keeps something, it is there to be deleted. */
  #takeBack(fork: Fork): void {
    const { fileSystem, config, logger } = this.#options;
    const { name } = fork.note;
    try {
      if (this.#refs.read(refOfBranch(name)) !== undefined) {
        // A crash before the end must not bring it to life.
        this.#noteDeletion(fork.note);
        this.#removeAll(fork.note);
      } else removeForkNote(fileSystem, config.stateDirectory, name);
      this.#forks.delete(name);
    } catch (error) {
      const reason = `what was made of it could not be removed: ${messageOf(error)}`;
      fork.life = { state: "failed", reason };
      logger.warn(`of a fork that could not be made ${reason}`, { fork: name });
    }
  }

  /** Removes a fork whose note says that it is deleted, and which is not served. */
  async #finishDeletion(fork: Fork): Promise<void> {
    // What was merged until now.
    await this.#sealMerges(fork);
    this.#removeAll(fork.note);
    this.#forks.delete(fork.note.name);
  }

  /** Invariant 3. A fork that was never merged goes also while main cannot be sealed, on a full disk: that makes room. */
  async #sealMerges({ note: { base, merge, pending } }: Fork): Promise<void> {
    if (merge !== undefined || pending !== undefined || base === UNKNOWN_BASE) await this.#options.recorder.flush();
  }

  /** The note goes last. */
  #removeAll({ name, base }: ForkNote): void {
    const { fileSystem, config } = this.#options;
    const ref = refOfBranch(name);
    const { socket, domains } = this.#sockets(name);
    rmSync(socket, { force: true });
    rmSync(domains, { recursive: true, force: true });
    this.#removeDerived(name);
    this.#refs.delete(ref, { expected: this.#refs.read(ref) ?? oidFromHex(base) });
    removeForkNote(fileSystem, config.stateDirectory, name);
  }

  /** The journal and the index of a fork's commits. */
  #removeDerived(name: string): void {
    const { fileSystem, config } = this.#options;
    const { stateDirectory, repositoryDirectory } = config;
    const journal = journalDirectory(stateDirectory, name);
    rmSync(journal, { recursive: true, force: true });
    fileSystem.syncDirectory(dirname(journal));
    removeSeqIndex({ fileSystem, repositoryDirectory, ref: refOfBranch(name) });
  }

  #sockets(name: string): BranchConfig["sockets"] {
    const socket = join(branchesDirectory(this.#options.runDirectory), name);
    return { socket, domains: `${socket}.domains` };
  }

  #describe({ note: { name, base, baseSeq, merge, pending }, life }: Fork): ForkJson {
    const reason = life.state === "failed" ? life.reason : undefined;
    return { name, base, baseSeq, socket: this.#sockets(name).socket, state: life.state, reason, merge, pending };
  }
}

function adviceOnName(mostBytes: number): string {
  return mostBytes > 0
    ? `choose a name of at most ${String(mostBytes)} characters, or a shorter --run`
    : "choose a shorter --run or --dir";
}

/** Why it is not sealed, in words; undefined when it is. */
async function flushThread(thread: ForkThread): Promise<string | undefined> {
  const answer: { behind?: string | undefined } = {};
  try {
    const asking = thread.ask("flush", undefined).then(({ behind }) => {
      answer.behind = behind;
    });
    return (await endsInTime(asking, FLUSH_MILLISECONDS_MAX)) ? answer.behind : "it does not answer";
  } catch (error) {
    return messageOf(error);
  }
}

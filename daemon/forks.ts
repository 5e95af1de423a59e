/**
 * The forks of a daemon: other branches of its history, live and writable beside main.
 *
 * Owns which forks there are, their sockets and their lives. Each has its own store, journal directory and thread
 * (`fork-worker.ts`); all are recorded by main's recorder thread into the one repository. Source: design.md, "Branches".
 *
 *   create:  note ──► ref at the base ──► thread ──► served         what fails takes back what was made
 *   delete:  main sealed ──► note says so ──► thread stopped ──► journal, ref, index removed ──► note removed
 *   start:   for each note: a deletion is brought to its end; a ref that a crash kept from being made is made; then served
 *
 * Invariants
 *  1. A fork is told to be there when its note, its ref and its socket are; one that was told to be deleted never comes back.
 *  2. Main never waits for a fork: neither at the start nor in a tick.
 *  3. Before a fork's commits may become unreachable, main's merges of them are in the history, which reaches them from then on.
 *  4. One fork is made or deleted at a time.
 */
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ForkJson } from "../protocol/http-api/forks.js";
import type { BranchConfig } from "./branch.js";
import { endsInTime } from "./ends-in-time.js";
import { forkNameProblem } from "./fork-name.js";
import {
  forkFailuresFile,
  listForkNotes,
  readForkNote,
  removeForkNote,
  writeForkNote,
  type ForkNote,
} from "./fork-note.js";
import { ForkThread } from "./fork-thread.js";
import { hexFromOid, oidFromHex } from "./history/object/oid.js";
import type { MainRecorder } from "./history/recorder/handle.js";
import { refOfBranch } from "./history/repository/layout.js";
import { RefStore } from "./history/repository/ref-store.js";
import { removeSeqIndex } from "./history/repository/seq-index-writer.js";
import type { CoreLink, ForkOutcome, ForkQuestions, Link, NewFork, NotedMerge } from "./http/messages.js";
import { messageOf } from "./platform/error-message.js";
import type { FileSystem } from "./platform/file-system.js";
import type { Logger } from "./platform/log.js";
import { makePrivateDirectory } from "./platform/private-directory.js";
import { journalDirectory } from "./recover-state.js";
import { checkSocketPath } from "./server/socket-path.js";

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
  /** Main's. */
  readonly recorder: Pick<MainRecorder, "openFork" | "flush">;
}

type Life =
  | { readonly state: "starting" | "served"; readonly thread: ForkThread }
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

  /** Serves the forks that an earlier life of the daemon left; resolves when each is served or has been told of in the log. */
  async start(): Promise<void> {
    const { fileSystem, config } = this.#options;
    const names = listForkNotes(fileSystem, config.stateDirectory);
    for (const name of names.filter((each) => forkNameProblem(each) === undefined)) {
      try {
        await this.#inTurn(() => this.#resume(name));
      } catch (error) {
        this.#options.logger.error(`a fork cannot be served: ${messageOf(error)}`, { fork: name });
      }
    }
  }

  /** All forks, by name. */
  list(): ForkJson[] {
    return [...this.#forks.values()]
      .map(({ note, life }) => this.#describe(note, life))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** What answers questions about a fork's store. @throws an error for people when it is not served */
  link(name: string): CoreLink {
    const fork = this.#forks.get(name);
    if (fork === undefined) throw new Error(`there is no fork ${name}`);
    if (fork.life.state === "served") return fork.life.thread;
    throw new Error(
      fork.life.state === "failed"
        ? `the fork ${name} is not served: ${fork.life.reason}`
        : `the fork ${name} is being started: ask again in a moment`,
    );
  }

  /** Seals what the forks have committed; resolves to why some cannot be, in words. */
  async flush(): Promise<readonly string[]> {
    const served = [...this.#forks].flatMap(([name, { life }]) =>
      life.state === "served" ? [{ name, thread: life.thread }] : [],
    );
    const behind = await Promise.all(
      served.map(async ({ name, thread }) => {
        try {
          const answer: { behind?: string | undefined } = {};
          const asking = thread.ask("flush", undefined).then(({ behind: why }) => {
            answer.behind = why;
          });
          const isAnswered = await endsInTime(asking, FLUSH_MILLISECONDS_MAX);
          const told = isAnswered ? answer.behind : "it does not answer";
          return told === undefined ? [] : [`fork ${name}: ${told}`];
        } catch (error) {
          return [`fork ${name}: ${messageOf(error)}`];
        }
      }),
    );
    return behind.flat();
  }

  /** Makes a fork; resolves when it is served. */
  create({ name, base, baseSeq }: NewFork): Promise<ForkOutcome> {
    return this.#inTurn(async () => {
      const mistake = this.#mistake(name);
      if (mistake !== undefined) return { mistake };
      const note: ForkNote = { name, base, baseSeq, isDeleted: false };
      try {
        // A power cut may have brought back the journal of an earlier fork of this name.
        this.#removeJournal(name);
        this.#write(note);
        await this.#serve(note);
      } catch (error) {
        this.#takeBack(note);
        return { refusal: `the fork ${name} cannot be served: ${messageOf(error)}` };
      }
      return { fork: this.#describe(note, { state: "served" }) };
    });
  }

  /** Deletes a fork with its commits, but for those that were merged. */
  delete(name: string): Promise<ForkOutcome> {
    return this.#inTurn(async () => {
      const fork = this.#forks.get(name);
      if (fork === undefined) return { mistake: `there is no fork ${name}: xs branches lists them` };
      try {
        // Invariant 3.
        await this.#options.recorder.flush();
      } catch (error) {
        return { refusal: `the fork ${name} cannot be deleted now: ${messageOf(error)}` };
      }
      const told = this.#describe(fork.note, fork.life);
      fork.note = { ...fork.note, isDeleted: true };
      this.#write(fork.note);
      if (fork.life.state !== "failed") await fork.life.thread.stop();
      fork.life = { state: "failed", reason: "it is being deleted" };
      const tip = this.#refs.read(refOfBranch(name));
      try {
        this.#removeAll(fork.note);
      } catch (error) {
        return {
          refusal: `the fork ${name} is not served any more, but its deletion must be repeated: ${messageOf(error)}`,
        };
      }
      this.#forks.delete(name);
      return { fork: { ...told, tip: tip === undefined ? undefined : hexFromOid(tip) } };
    });
  }

  /** Takes down a merge of a fork into main. */
  noteMerge({ name, merge, pending }: NotedMerge): void {
    const fork = this.#forks.get(name);
    if (fork === undefined) throw new Error(`there is no fork ${name} any more`);
    const note = { ...fork.note, merge: merge ?? fork.note.merge, pending };
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
    const threads = [...this.#forks.values()].flatMap(({ life }) => (life.state === "failed" ? [] : [life.thread]));
    const ends = await Promise.all(threads.map((thread) => thread.stop()));
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
    const { socket, domains } = this.#sockets(name);
    for (const path of [socket, join(domains, "65535")]) {
      try {
        checkSocketPath(path);
      } catch (error) {
        return messageOf(error);
      }
    }
    return undefined;
  }

  async #resume(name: string): Promise<void> {
    const { fileSystem, config } = this.#options;
    const note = readForkNote(fileSystem, config.stateDirectory, name);
    if (note === undefined) return;
    if (note.isDeleted) this.#removeAll(note);
    else await this.#serve(note);
  }

  /** Serves a fork that has a note. Of one that cannot be served it is kept why. */
  async #serve(note: ForkNote): Promise<void> {
    const { name, base } = note;
    const fork: Fork = { note, life: { state: "failed", reason: "it has not been started" } };
    this.#forks.set(name, fork);
    try {
      const ref = refOfBranch(name);
      this.#refs.removeStaleLocks([ref]);
      if (this.#refs.read(ref) === undefined) this.#refs.update(ref, { expected: undefined, to: oidFromHex(base) });
      const thread = this.#startThread(fork);
      fork.life = { state: "starting", thread };
      await thread.started;
      fork.life = { state: "served", thread };
    } catch (error) {
      fork.life = { state: "failed", reason: messageOf(error) };
      throw error;
    }
  }

  #startThread(fork: Fork): ForkThread {
    const { config, recorder, logger } = this.#options;
    const { name, base, baseSeq } = fork.note;
    const { stateDirectory, redact = [], ...shared } = config;
    const sockets = this.#sockets(name);
    makePrivateDirectory(sockets.domains);
    const recorderPort = recorder.openFork({
      ref: refOfBranch(name),
      journalDirectory: journalDirectory(stateDirectory, name),
      forkedFrom: { oid: oidFromHex(base), seq: baseSeq },
    });
    const failuresFile = forkFailuresFile(stateDirectory, name);
    const data = {
      config: { ...shared, stateDirectory, branch: name, failuresFile, sockets },
      redact: redact.map(({ text }) => text),
      recorderPort,
    };
    return new ForkThread(data, {
      log: (level, message, fields) => {
        logger.log(level, message, { fork: name, ...fields });
      },
      died: (reason) => {
        fork.life = { state: "failed", reason };
        logger.error(`a fork died, and is served again when the daemon is started: ${reason}`, { fork: name });
      },
    });
  }

  /** Of a fork that could not be made nothing stays; what the disk keeps the next start removes. */
  #takeBack(note: ForkNote): void {
    this.#forks.delete(note.name);
    try {
      this.#write({ ...note, isDeleted: true });
      this.#removeAll(note);
    } catch (error) {
      this.#options.logger.warn(`what was made of a fork cannot be removed: ${messageOf(error)}`, { fork: note.name });
    }
  }

  /** Removes all that is left of a fork whose note says that it is deleted, the note last. */
  #removeAll({ name, base }: ForkNote): void {
    const { fileSystem, config } = this.#options;
    const { stateDirectory, repositoryDirectory } = config;
    const ref = refOfBranch(name);
    const { socket, domains } = this.#sockets(name);
    rmSync(socket, { force: true });
    rmSync(domains, { recursive: true, force: true });
    this.#removeJournal(name);
    this.#refs.removeStaleLocks([ref]);
    this.#refs.delete(ref, { expected: this.#refs.read(ref) ?? oidFromHex(base) });
    removeSeqIndex({ fileSystem, repositoryDirectory, ref });
    removeForkNote(fileSystem, stateDirectory, name);
  }

  #removeJournal(name: string): void {
    const { fileSystem, config } = this.#options;
    const directory = journalDirectory(config.stateDirectory, name);
    rmSync(directory, { recursive: true, force: true });
    fileSystem.syncDirectory(dirname(directory));
  }

  #sockets(name: string): BranchConfig["sockets"] {
    const socket = join(branchesDirectory(this.#options.runDirectory), name);
    return { socket, domains: `${socket}.domains` };
  }

  #describe(
    { name, base, baseSeq, merge, pending }: ForkNote,
    life: { readonly state: Life["state"]; readonly reason?: string },
  ): ForkJson {
    return {
      name,
      base,
      baseSeq,
      socket: this.#sockets(name).socket,
      state: life.state,
      reason: life.reason,
      merge,
      pending,
    };
  }
}

/**
 * The lock on a state directory: one daemon at a time.
 *
 * Owns the file `lock` in it, which holds the pid of the holder for people and for the message to the second daemon. The
 * file is never removed: two starters could then hold locks on two files of one name.
 *
 * The lock is flock(2)'s, which Node cannot take itself: the command `flock` (util-linux, busybox) takes it on our open
 * file, handed to it as file descriptor 3. Such a lock belongs to the open file and not to the process that asked for it,
 * so it outlives the command and ends with our descriptor: the kernel releases it when the daemon dies, by `kill -9` too,
 * and of two starters at once exactly one gets it. Children do not inherit the descriptor.
 *
 * Where there is no `flock` command, the pid in the file is all there is: a living process of that pid is taken for the
 * holder. That is weaker. Two daemons started in the same instant may both win, and after a crash the pid may belong to
 * somebody else, which refuses the start until the file is removed by hand; the message says so.
 */
import { spawnSync } from "node:child_process";
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

/** The directory is in use by another process. */
export class DirectoryLockedError extends Error {
  override readonly name = "DirectoryLockedError";
  /** The holder, where it can be told. */
  readonly pid: number | undefined;

  constructor(message: string, pid: number | undefined) {
    super(message);
    this.pid = pid;
  }
}

/** A lock that is held. */
export interface DirectoryLock {
  /** Gives the lock up; may be called again. Death of the process does the same. */
  release(): void;
}

/** What a test may replace. */
export interface DirectoryLockOptions {
  /** The command that takes flock(2) locks; `flock` unless told. */
  readonly flockCommand?: string;
}

/** `flock -n` ends with this when somebody else has the lock. */
const FLOCK_HELD_ELSEWHERE = 1;
/** The holder writes its pid right after it got the lock; a loser waits that long to learn it. */
const PID_WAIT_MILLISECONDS = 500;
const PID_POLL_MILLISECONDS = 10;

/**
 * Locks a directory, which must exist.
 *
 * @throws DirectoryLockedError naming the holder when another process has it; at once, without waiting for it
 */
export function lockDirectory(directory: string, options: DirectoryLockOptions = {}): DirectoryLock {
  const path = `${directory}/lock`;
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const isCertain = takeLock({ directory, path, descriptor, flockCommand: options.flockCommand ?? "flock" });
    writePid(descriptor, isCertain);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let isHeld = true;
  return {
    release: () => {
      if (!isHeld) return;
      isHeld = false;
      try {
        ftruncateSync(descriptor, 0);
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

/** Under flock the pid is for people only, and a full disk is no reason not to start. */
function writePid(descriptor: number, isCertain: boolean): void {
  try {
    ftruncateSync(descriptor, 0);
    writeSync(descriptor, `${String(process.pid)}\n`, 0);
  } catch (error) {
    if (!isCertain) throw error;
  }
}

interface LockAttempt {
  readonly directory: string;
  readonly path: string;
  readonly descriptor: number;
  readonly flockCommand: string;
}

/** @returns whether flock holds the lock; else the pid in the file is all there is */
function takeLock({ directory, path, descriptor, flockCommand }: LockAttempt): boolean {
  const flock = spawnSync(flockCommand, ["-n", "3"], {
    stdio: ["ignore", "ignore", "pipe", descriptor],
    encoding: "utf8",
  });
  if (flock.error !== undefined) {
    if ((flock.error as NodeJS.ErrnoException).code !== "ENOENT") throw flock.error;
    refuseLivingPid(directory, path);
    return false;
  }
  if (flock.status === 0) return true;
  if (flock.status !== FLOCK_HELD_ELSEWHERE) {
    throw new Error(
      `${path} could not be locked: flock ended with ${String(flock.status ?? flock.signal)}: ${flock.stderr.trim()}`,
    );
  }
  const pid = waitForPid(path);
  const holder = pid === undefined ? "another process" : `process ${String(pid)}`;
  throw new DirectoryLockedError(
    `${directory} is in use by ${holder}: stop that daemon first, or name another directory`,
    pid,
  );
}

function refuseLivingPid(directory: string, path: string): void {
  const pid = livingPid(path);
  if (pid === undefined || pid === process.pid) return;
  throw new DirectoryLockedError(
    `${directory} seems to be in use by process ${String(pid)}: stop that daemon first, or name another directory. ` +
      `(There is no flock command here to be certain; when that process is no daemon of this directory, remove ${path}.)`,
    pid,
  );
}

/** The pid that the holder wrote; it may be about to. */
function waitForPid(path: string): number | undefined {
  const never = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PID_WAIT_MILLISECONDS; waited += PID_POLL_MILLISECONDS) {
    const pid = livingPid(path);
    if (pid !== undefined) return pid;
    Atomics.wait(never, 0, 0, PID_POLL_MILLISECONDS);
  }
  return undefined;
}

/** The pid in the file, when a process has it. */
function livingPid(path: string): number | undefined {
  const text = readFileSync(path, "latin1");
  if (!/^[1-9][0-9]{0,9}\n$/.test(text)) return undefined;
  const pid = Number(text);
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM" ? pid : undefined;
  }
}

/**
 * The daemon's log: one line for each message, `2026-11-23T07:10:04.512Z warn message key=value`.
 *
 * Owns the line's form, where lines go, and a limit on how many of a kind are written. Must never throw at somebody who
 * logs, and never hold more than a bounded amount: guests can cause messages at will.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Clock } from "./clock.js";
import { messageOf } from "./error-message.js";

/** The levels, worst first. */
export const LOG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** How much a message matters. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** What a message is about; undefined values are left out. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Writes messages. */
export interface Logger {
  log(level: LogLevel, message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** Opens a log file anew, after somebody renamed it (SIGHUP); where that fails it goes on with the old one and says so. */
  reopen(): void;
  close(): void;
}

/** Where lines go. `write` must not throw. */
export interface LogSink {
  /** @param line - with its newline */
  write(line: string): void;
  /** May throw, and then goes on as before. */
  reopen(): void;
  close(): void;
}

/** Lines go to standard error. */
export function standardErrorSink(): LogSink {
  // A reader that went away must not end the daemon.
  const ignore = (): void => undefined;
  process.stderr.on("error", ignore);
  return {
    write: (line) => {
      process.stderr.write(line);
    },
    reopen: ignore,
    close: () => {
      process.stderr.off("error", ignore);
    },
  };
}

/**
 * Lines are appended to a file (mode 0600). Lines that cannot be written are dropped and counted, and the next one that
 * can be is preceded by the count.
 *
 * @throws what the file system throws when the file cannot be opened
 */
export function fileSink(path: string): LogSink {
  let descriptor = openSync(path, "a", 0o600);
  let lost = 0;
  return {
    write: (line) => {
      try {
        writeSync(descriptor, lost === 0 ? line : `${String(lost)} lines of this log could not be written\n${line}`);
        lost = 0;
      } catch {
        lost++;
      }
    },
    reopen: () => {
      const reopened = openSync(path, "a", 0o600);
      closeSync(descriptor);
      descriptor = reopened;
    },
    close: () => {
      closeSync(descriptor);
      descriptor = -1;
    },
  };
}

/** How to make a logger. */
export interface LoggerOptions {
  /** The least important level that is written. */
  readonly level: LogLevel;
  readonly sink: LogSink;
  readonly clock: Clock;
}

/** Makes a logger. */
export function createLogger({ level: leastLevel, sink, clock }: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(leastLevel);
  const log = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(level) > least) return;
    const time = new Date(Math.floor(clock.nowMicroseconds() / 1000)).toISOString();
    sink.write(`${time} ${level} ${escapeControls(message)}${formatFields(fields)}\n`);
  };
  return loggerOf(log, {
    reopen: () => {
      try {
        sink.reopen();
      } catch (error) {
        log("error", "the log could not be opened anew", {
          error: messageOf(error),
        });
      }
    },
    close: () => {
      sink.close();
    },
  });
}

/** A logger whose messages go where `log` brings them. */
export function loggerOf(log: Logger["log"], ends: Pick<Logger, "reopen" | "close">): Logger {
  return {
    log,
    ...ends,
    error: (message, fields) => {
      log("error", message, fields);
    },
    warn: (message, fields) => {
      log("warn", message, fields);
    },
    info: (message, fields) => {
      log("info", message, fields);
    },
    debug: (message, fields) => {
      log("debug", message, fields);
    },
  };
}

function formatFields(fields: LogFields): string {
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value !== undefined) text += ` ${key}=${typeof value === "string" ? formatText(value) : String(value)}`;
  }
  return text;
}

/** A value that could be misread (empty, with blanks, quotes or `=`) stands in double quotes. */
function formatText(value: string): string {
  return /^[^\s"=\\]+$/.test(value) ? escapeControls(value) : escapeControls(JSON.stringify(value));
}

/** What would end the line or drive a terminal is shown as `\u00XX`: a message may quote what a guest sent. */
function escapeControls(text: string): string {
  return text.replace(
    /[\0-\x1f\x7f-\x9f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Writes at most one message for each key and second. */
export interface RateLimitedLog {
  /**
   * Writes the message, unless one with this key was written less than a second ago: then it is counted. The next one that
   * is written says how many were left out.
   *
   * @param key - what kind of message it is, with whatever should be limited apart (a domid, say)
   */
  log(level: LogLevel, key: string, message: string, fields?: LogFields): void;
  /** Says for each key whose second is over how many messages were left out. Meant for a timer and for the end. */
  flush(): void;
}

/** What is known of a key. */
interface KeyState {
  readonly level: LogLevel;
  readonly message: string;
  readonly writtenMilliseconds: number;
  suppressed: number;
}

const SILENCE_MILLISECONDS = 1000;
/** Characters of a key that count, so that a key cannot be used to fill the memory. */
const KEY_LENGTH_MAX = 200;

/**
 * Puts a rate limit in front of a logger.
 *
 * @param keysMax - so many keys are remembered; beyond that the one written longest ago is forgotten
 */
export function limitRate(logger: Logger, clock: Clock, keysMax = 1000): RateLimitedLog {
  /** In the order of writing. */
  const keys = new Map<string, KeyState>();
  const settle = (key: string, state: KeyState): void => {
    keys.delete(key);
    if (state.suppressed > 0) logger.log(state.level, `${String(state.suppressed)} more suppressed: ${state.message}`);
  };
  return {
    log: (level, fullKey, message, fields) => {
      const key = fullKey.slice(0, KEY_LENGTH_MAX);
      const now = clock.monotonicMilliseconds();
      const known = keys.get(key);
      if (known !== undefined && now - known.writtenMilliseconds < SILENCE_MILLISECONDS) {
        known.suppressed++;
        return;
      }
      if (known !== undefined) settle(key, known);
      else if (keys.size >= keysMax) {
        const [oldest] = keys;
        if (oldest !== undefined) settle(...oldest);
      }
      keys.set(key, { level, message: message.slice(0, KEY_LENGTH_MAX), writtenMilliseconds: now, suppressed: 0 });
      logger.log(level, message, fields);
    },
    flush: () => {
      const now = clock.monotonicMilliseconds();
      for (const [key, state] of keys) {
        if (now - state.writtenMilliseconds < SILENCE_MILLISECONDS) return;
        settle(key, state);
      }
    },
  };
}

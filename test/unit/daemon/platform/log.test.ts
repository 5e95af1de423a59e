import { existsSync, readdirSync, readFileSync, readlinkSync, renameSync, statSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import {
  createLogger,
  fileSink,
  limitRate,
  LOG_LEVELS,
  standardErrorSink,
  type Logger,
  type LogLevel,
} from "../../../../daemon/platform/log.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const stamp = "2026-11-23T07:10:04.512Z";
let lines: string[];
let milliseconds: number;
beforeEach(() => {
  lines = [];
  milliseconds = 0;
});

const clock = {
  nowMicroseconds: () => Date.parse(stamp) * 1000 + 999,
  monotonicMilliseconds: () => milliseconds,
};

function loggerTo(
  write: (line: string) => void,
  level: LogLevel = "debug",
  reopen: () => void = () => undefined,
): Logger {
  return createLogger({ level, clock, sink: { write, reopen, close: () => undefined } });
}

const logger = (level?: LogLevel): Logger => loggerTo((line) => lines.push(line), level);

describe("createLogger", () => {
  it("writes one line of time, level, message and fields", () => {
    logger().warn("a guest is slow", { domid: 5, socket: "/run/socket", closing: true, reason: undefined });
    expect(lines).toEqual([`${stamp} warn a guest is slow domid=5 socket=/run/socket closing=true\n`]);
  });

  it("leaves out what is less important than its level", () => {
    for (const [index, level] of LOG_LEVELS.entries()) {
      lines = [];
      const log = logger(level);
      log.error("e");
      log.warn("w");
      log.info("i");
      log.debug("d");
      const all = ["error e", "warn w", "info i", "debug d"].map((text) => `${stamp} ${text}\n`);
      expect(lines).toEqual(all.slice(0, index + 1));
    }
  });

  it("keeps what a guest sent on one line, and no value looks like another field", () => {
    logger().info("path\nforged line\x1b[2J\x9b", {
      path: "/a b=c",
      quote: 'say "x"',
      empty: "",
      line: "a\nb",
      escape: "\x1b",
    });
    expect(lines).toEqual([
      `${stamp} info path\\u000aforged line\\u001b[2J\\u009b path="/a b=c" quote="say \\"x\\"" empty="" line="a\\nb" escape=\\u001b\n`,
    ]);
  });

  it("says so when the log cannot be opened anew, and goes on", () => {
    const log = loggerTo(
      (line) => lines.push(line),
      "info",
      () => {
        throw new Error("EACCES: no");
      },
    );
    log.reopen();
    expect(lines).toEqual([`${stamp} error the log could not be opened anew error="EACCES: no"\n`]);
  });
});

/** Where a link leads; the descriptor that listed the directory is gone by now. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

describe("fileSink", () => {
  it("appends to a file of mode 0600 and goes on in a new one after reopen", () => {
    const path = `${temporaryDirectory()}/log`;
    const sink = fileSink(path);
    sink.write("one\n");
    renameSync(path, `${path}.1`);
    sink.write("two\n");
    expect(existsSync(path)).toBe(false);
    sink.reopen();
    const open = readdirSync("/proc/self/fd").map((descriptor) => linkOf(`/proc/self/fd/${descriptor}`));
    expect(open.filter((file) => file?.startsWith(path))).toEqual([path]);
    sink.write("three\n");
    sink.close();
    expect(readFileSync(`${path}.1`, "utf8")).toBe("one\ntwo\n");
    expect(readFileSync(path, "utf8")).toBe("three\n");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    fileSink(path).write("four\n");
    expect(readFileSync(path, "utf8")).toBe("three\nfour\n");
  });

  it("keeps the old file where the new one cannot be opened", () => {
    const directory = temporaryDirectory();
    const sink = fileSink(`${directory}/log`);
    renameSync(directory, `${directory}-moved`);
    try {
      expect(() => {
        sink.reopen();
      }).toThrow("ENOENT");
      sink.write("one\n");
    } finally {
      renameSync(`${directory}-moved`, directory);
    }
    expect(readFileSync(`${directory}/log`, "utf8")).toBe("one\n");
    sink.close();
  });

  it("does not throw when lines cannot be written, and counts them", () => {
    const path = `${temporaryDirectory()}/log`;
    const sink = fileSink(path);
    sink.close();
    sink.write("lost\n");
    sink.write("lost too\n");
    expect(readFileSync(path, "utf8")).toBe("");
    const full = fileSink("/dev/full");
    full.write("lost\n");
    full.close();
  });
});

describe("standardErrorSink", () => {
  it("takes its listener away when it is closed", () => {
    const before = process.stderr.listenerCount("error");
    const sink = standardErrorSink();
    expect(process.stderr.listenerCount("error")).toBe(before + 1);
    sink.close();
    expect(process.stderr.listenerCount("error")).toBe(before);
  });
});

describe("limitRate", () => {
  it("writes one message for a key and second, and then how many were left out", () => {
    const limited = limitRate(logger(), clock);
    for (milliseconds = 0; milliseconds < 1000; milliseconds += 100)
      limited.log("warn", "quota/5", "over quota", { domid: 5 });
    limited.log("warn", "quota/6", "over quota", { domid: 6 });
    limited.log("warn", "quota/5", "over quota", { domid: 5 });
    expect(lines.map((line) => line.slice(stamp.length + 1, -1))).toEqual([
      "warn over quota domid=5",
      "warn over quota domid=6",
      "warn 9 more suppressed: over quota",
      "warn over quota domid=5",
    ]);
  });

  it("flush tells what was left out when a key's second is over, once", () => {
    const limited = limitRate(logger(), clock);
    limited.log("error", "a", "first");
    limited.log("error", "a", "first");
    milliseconds = 999;
    limited.flush();
    expect(lines).toHaveLength(1);
    milliseconds = 1000;
    limited.flush();
    limited.flush();
    expect(lines.slice(1)).toEqual([`${stamp} error 1 more suppressed: first\n`]);
  });

  it("remembers a bounded number of keys and forgets the oldest", () => {
    const limited = limitRate(logger(), clock, 10);
    limited.log("info", "key 0", "message");
    limited.log("info", "key 0", "message");
    for (let key = 1; key <= 10; key++) limited.log("info", `key ${String(key)}`, "message");
    expect(lines.filter((line) => line.includes("1 more suppressed"))).toHaveLength(1);
    lines = [];
    limited.log("info", "key 10", "message");
    expect(lines).toEqual([]);
    limited.log("info", "key 0", "message");
    expect(lines).toEqual([`${stamp} info message\n`]);
  });
});

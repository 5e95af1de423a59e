import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AsciiBuffer } from "../../../protocol/ascii-buffer.js";
import { ERROR_NAMES } from "../../../protocol/errno.js";
import type { Domid, Microseconds, Seq } from "../../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../../protocol/limits.js";
import { getOperation, OPERATIONS } from "../../../protocol/operation.js";
import {
  parseTraceLine,
  TRACE_FRAME_BYTES_MAX,
  writeTraceLine,
  type TracedRequest,
  type TraceLine,
} from "../../../protocol/request-trace.js";
import { propertyParameters } from "../../support/seed.js";

function encoded(line: TraceLine): string {
  const lines = new AsciiBuffer();
  writeTraceLine(lines, line);
  return lines.bytes.toString("latin1");
}

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each).toString("latin1"));
const time = fc.maxSafeNat().map((value) => value as Microseconds);
const domid = fc.nat(0xffff).map((value) => value as Domid);
const seq = fc.maxSafeNat().map((value) => Math.max(1, value) as Seq);
const origin = { time, connection: bytes, domid };
const reply = fc.oneof(
  bytes,
  fc.constantFrom(...ERROR_NAMES).map((error) => ({ error })),
);
const unknownType = fc.nat(0xffffffff).filter((type) => getOperation(type) === undefined);
const operation = fc.oneof(fc.constantFrom(...OPERATIONS.map(({ name }) => name)), unknownType);
const request: fc.Arbitrary<TraceLine> = fc
  .record({
    kind: fc.constant("request" as const),
    ...origin,
    txId: fc.oneof(fc.constant(0), fc.nat(0xffffffff)),
    operation,
    payload: fc.option(bytes, { nil: undefined }),
    reply: fc.option(reply, { nil: undefined }),
    seq: fc.option(seq, { nil: undefined }),
    asked: fc.option(time, { nil: undefined }),
    redacted: fc.boolean(),
  })
  .map((line) => ({ ...line, redacted: line.redacted || line.payload === undefined || line.reply === undefined }));
const anyLine: fc.Arbitrary<TraceLine> = fc.oneof(
  request,
  fc.record({ kind: fc.constant("header" as const), daemon: bytes, started: time, time, seq }),
  fc.record({ kind: fc.constant("event" as const), ...origin, path: bytes, token: bytes }),
  fc.record({ kind: fc.constantFrom("opened" as const, "closed" as const), ...origin }),
  fc.record({
    kind: fc.constant("gap" as const),
    time,
    dropped: fc.maxSafeNat().map((count) => Math.max(1, count)),
  }),
);

const write: TracedRequest = {
  kind: "request",
  time: 1_767_225_600_000_000 as Microseconds,
  connection: "socket-17",
  domid: 0 as Domid,
  txId: 3,
  operation: "WRITE",
  payload: "/a/b\0value\xff\n",
  reply: "OK\0",
  seq: undefined,
  asked: undefined,
  redacted: false,
};

describe("writeTraceLine and parseTraceLine", () => {
  it("are each other's inverse for any line, which is one line of printable ASCII", () => {
    fc.assert(
      fc.property(anyLine, (line) => {
        const text = encoded(line);
        expect(text).toMatch(/^[ -~]*\n$/);
        expect(parseTraceLine(text.slice(0, -1))).toEqual({ ok: true, line });
      }),
      propertyParameters(1000),
    );
  });

  it("refuse any beginning of a line, as a kill leaves it", () => {
    fc.assert(
      fc.property(anyLine, fc.nat(), (line, at) => {
        const text = encoded(line).slice(0, -1);
        expect(parseTraceLine(text.slice(0, at % text.length))).toMatchObject({ ok: false });
      }),
      propertyParameters(500),
    );
  });

  it("have the form that people and jq read", () => {
    expect(encoded(write)).toBe(
      '{"time":1767225600000000,"connection":"socket-17","domain":0,"tx":3,"operation":"WRITE","payload":"/a/b\\u0000value\\u00ff\\n","reply":"OK\\u0000"}\n',
    );
    const failed = { ...write, txId: 0, operation: 99, reply: { error: "ENOSYS" }, asked: 5 as Microseconds } as const;
    expect(encoded(failed)).toBe(
      '{"time":1767225600000000,"connection":"socket-17","domain":0,"operation":99,"payload":"/a/b\\u0000value\\u00ff\\n","error":"ENOSYS","asked":5}\n',
    );
  });

  it("keep the frames and the longest request within what files reckon with", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const header: TraceLine = {
      kind: "header",
      daemon: "100.100.100-prerelease.12345",
      started: most as Microseconds,
      time: most as Microseconds,
      seq: most as Seq,
    };
    for (const frame of [header, { kind: "gap", time: most as Microseconds, dropped: most } as const]) {
      expect(encoded(frame).length).toBeLessThanOrEqual(TRACE_FRAME_BYTES_MAX);
    }
    const payload = "\0".repeat(XENSTORE_PAYLOAD_MAX);
    expect(encoded({ ...write, payload, reply: payload }).length).toBeLessThan(64 * 1024 - 2 * TRACE_FRAME_BYTES_MAX);
  });

  it.each([
    ["", "it is empty"],
    ["nonsense", "it is not JSON, or only the beginning of a line"],
    ["[1]", "it is not a JSON object"],
    ["null", "it is not a JSON object"],
    ["{}", "it is of no kind that is known"],
    ['{"__proto__":{"dropped":1}}', "it is of no kind that is known"],
    [
      '{"format":"xenstore-tng request trace","version":2}',
      'its format is "xenstore-tng request trace", version 2; known is "xenstore-tng request trace", version 1',
    ],
    ['{"time":1,"dropped":0}', "`dropped` is not a count"],
    ['{"time":1,"dropped":1,"seq":1}', "the key `seq` does not belong to a line of the kind gap"],
    ['{"time":-1,"connection":"c","domain":0,"opened":true}', "`time` is not in microseconds"],
    ['{"time":1,"connection":"\u0100","domain":0,"opened":true}', "`connection` is not a byte string"],
    ['{"time":1,"connection":"c","domain":65536,"opened":true}', "`domain` is not a domain id"],
    ['{"time":1,"connection":"c","domain":0,"closed":false}', "`closed` is not true"],
    ['{"time":1,"connection":"c","domain":0,"event":"/a"}', "`token` is not a byte string"],
  ])("say what is wrong with %s", (line, reason) => {
    expect(parseTraceLine(line)).toEqual({ ok: false, reason });
  });

  it.each([
    [{ tx: 0 }, "`tx` is not a transaction id"],
    [{ operation: "NONSENSE" }, "`operation` is neither an operation's name nor a type number without a name"],
    [{ operation: 11 }, "`operation` is neither an operation's name nor a type number without a name"],
    [{ payload: 1 }, "`payload` is not a byte string"],
    [{ seq: 0 }, "`seq` is not a sequence number"],
    [{ asked: 1.5 }, "`asked` is not in microseconds"],
    [{ redacted: false }, "`redacted` is not true"],
    [{ error: "ENOENT" }, "its `reply` is not a byte string, or its `error` no error name, or it has both"],
    [
      { reply: undefined, error: "ENONSENSE" },
      "its `reply` is not a byte string, or its `error` no error name, or it has both",
    ],
    [{ reply: undefined }, "it lacks payload or reply and is not redacted"],
    [{ payload: undefined }, "it lacks payload or reply and is not redacted"],
    [{ extra: 1 }, "the key `extra` does not belong to a line of the kind request"],
  ])("say what is wrong with a request with %j", (change, reason) => {
    const fields = JSON.parse(encoded(write)) as object;
    expect(parseTraceLine(JSON.stringify({ ...fields, ...change }))).toEqual({ ok: false, reason });
  });
});

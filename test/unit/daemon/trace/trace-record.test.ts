/** Records: what is added is what is read. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ByteRange } from "../../../../protocol/ascii-buffer.js";
import { ERROR_NAMES } from "../../../../protocol/errno.js";
import type { Domid, Microseconds, Seq } from "../../../../protocol/identifiers.js";
import { getOperation } from "../../../../protocol/operation.js";
import {
  readTraceRecords,
  recordBytes,
  TraceSegment,
  type RecordedRequest,
  type TraceRecord,
} from "../../../../daemon/trace/trace-record.js";
import { propertyParameters } from "../../../support/seed.js";

const bytes = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 100 }),
  fc.constantFrom("", "\0", "OK\0", "/local/domain/7/device/vbd/51712/state\x004"),
);
const time = fc.maxSafeNat().map((value) => value as Microseconds);
const origin = {
  time,
  connection: bytes,
  domid: fc.integer({ min: 0, max: 0xffff }).map((value) => value as Domid),
};

const request = fc.record({
  ...origin,
  type: fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 0xffffffff })),
  txId: fc.integer({ min: 0, max: 0xffffffff }),
  payload: fc.option(bytes, { nil: undefined }),
  reply: fc.option(
    fc.oneof(
      bytes,
      fc.constantFrom(...ERROR_NAMES).map((error) => ({ error })),
    ),
    { nil: undefined },
  ),
  seq: fc.option(
    fc.maxSafeNat().map((value) => value as Seq),
    { nil: undefined },
  ),
  asked: fc.option(time, { nil: undefined }),
  redacted: fc.boolean(),
});

/** How a record is added, and what must be read. */
type Step = readonly [add: (segment: TraceSegment) => boolean, read: TraceRecord<string>];

function requestStep(each: RecordedRequest): Step {
  const { type, ...rest } = each;
  const operation = getOperation(type)?.name ?? type;
  return [(segment) => segment.addRequest(each), { kind: "request", operation, ...rest }];
}

const step: fc.Arbitrary<Step> = fc.oneof(
  request.map(requestStep),
  fc
    .record({ ...origin, path: bytes, token: bytes })
    .map((each): Step => [(segment) => segment.addEvent(each), { kind: "event", ...each }]),
  fc
    .tuple(fc.constantFrom("opened", "closed"), fc.record(origin))
    .map(([kind, each]): Step => [(segment) => segment.addConnection(kind, each), { kind, ...each }]),
  fc
    .integer({ min: 1, max: 0xffffffff })
    .map((dropped): Step => [(segment) => segment.addGap(dropped), { kind: "gap", dropped }]),
);

function isRange(value: unknown): value is ByteRange {
  return typeof value === "object" && value !== null && "start" in value;
}

/** The records, with strings for the places where they stand. */
function read({ memory, length }: TraceSegment): TraceRecord<string>[] {
  const records: TraceRecord<string>[] = [];
  readTraceRecords(memory, length, (record) => {
    const fields = Object.entries(record).map(([key, value]: [string, unknown]) => {
      if (!isRange(value)) return [key, value];
      return [key, Buffer.from(value.bytes.subarray(value.start, value.end)).toString("latin1")];
    });
    records.push(Object.fromEntries(fields) as TraceRecord<string>);
  });
  return records;
}

describe("TraceSegment", () => {
  it("gives back what was added, byte for byte and in order", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const segment = new TraceSegment(64 * 1024);
        for (const [add] of steps) expect(add(segment)).toBe(true);
        expect(read(segment)).toEqual(steps.map(([, record]) => record));
      }),
      propertyParameters(300),
    );
  });

  it("takes nothing that it has no room for, and leaves what is there as it was", () => {
    const who = { time: 1 as Microseconds, connection: "socket-1", domid: 0 as Domid };
    const room = recordBytes(who.connection.length, 4, 5);
    const segment = new TraceSegment(room + recordBytes(0, 0, 0));
    expect(segment.addEvent({ ...who, path: "/a/b", token: "token" })).toBe(true);
    expect(segment.length).toBe(room);
    expect(segment.addConnection("closed", who)).toBe(false);
    expect(segment.addGap(3)).toBe(true);
    expect(segment.addGap(3)).toBe(false);
    expect(read(segment).map(({ kind }) => kind)).toEqual(["event", "gap"]);
  });

  it("forgets what is taken back", () => {
    const segment = new TraceSegment(1024);
    segment.addGap(1);
    const { length } = segment;
    segment.addGap(2);
    segment.truncate(length);
    segment.addGap(3);
    segment.truncate(1024);
    expect(read(segment)).toEqual([
      { kind: "gap", dropped: 1 },
      { kind: "gap", dropped: 3 },
    ]);
  });
});

/** Server-sent events: whatever the pieces, the events are the same. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventParser } from "../../../../clients/explorer/api/event-stream.js";
import { propertyParameters } from "../../../support/seed.js";

const STREAM = [
  'id: main:1\nevent: commit\ndata: {"seq":1}\n\n',
  "id: main:1\n: alive\n\n",
  "event: commit\ndata: first\ndata:second\nid: main:2\n\n",
  "data\n\n",
  "id: main:3\n\n",
].join("");

const EVENTS = [
  { name: "commit", data: '{"seq":1}', id: "main:1" },
  { name: "commit", data: "first\nsecond", id: "main:2" },
  { name: "message", data: "", id: "main:2" },
];

describe("the parser of events", () => {
  it("takes them as they come, with ids also where there is no event", () => {
    const parser = new EventParser();
    expect(parser.push(STREAM)).toEqual(EVENTS);
    expect(parser.lastId).toBe("main:3");
  });

  it("gives the same events for any pieces", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length)), (cuts) => {
        const parser = new EventParser();
        const places = [0, ...[...cuts].sort((left, right) => left - right), STREAM.length];
        const events = places.slice(1).flatMap((end, index) => parser.push(STREAM.slice(places[index], end)));
        expect(events).toEqual(EVENTS);
        expect(parser.lastId).toBe("main:3");
      }),
      propertyParameters(300),
    );
  });

  it("leaves an event that is not whole for later", () => {
    const parser = new EventParser();
    expect(parser.push("data: half")).toEqual([]);
    expect(parser.push("\n")).toEqual([]);
    expect(parser.push("\n")).toEqual([{ name: "message", data: "half", id: "" }]);
  });
});

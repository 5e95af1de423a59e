import { describe, expect, test } from "vitest";
import { Channel } from "../../../../simulator/checker/channel.js";
import { Model, type Expected } from "../../../../simulator/checker/model/model.js";
import type { Message } from "../../../../protocol/message.js";
import { ERROR, operationNamed, WATCH_EVENT } from "../../../../protocol/operation.js";

const READ: Message = { type: operationNamed("READ").number, requestId: 7, txId: 0, payload: "/a\0" };
const VALUE: Message = { ...READ, payload: "1" };
const event = (path: string): Message => ({ type: WATCH_EVENT, requestId: 0, txId: 0, payload: `${path}\0t\0` });
const due = (...paths: string[]): { told: string; token: string; path: string }[] =>
  paths.map((path) => ({ told: path, token: "t", path }));

/** A channel to which the value of a READ, and then these are due. */
function channelWith(...expected: Expected[]): Channel {
  const channel = new Channel("socket-1", new Model().connect(0));
  channel.twin.expected = [{ kind: "reply", operation: "READ", requestId: 7, txId: 0, reply: "1" }, ...expected];
  channel.takeExpected({ channel, request: READ, seq: 3 });
  return channel;
}

/** What is found in this order of messages; all commits are handed over. */
function found(channel: Channel, ...messages: Message[]): (string | undefined)[] {
  return messages.map((message) => channel.receive(message, 3)?.check);
}

describe("Channel", () => {
  test("takes the reply and then the events that are due, and nothing more", () => {
    const channel = channelWith({ kind: "events", events: due("/a", "/b") });
    expect(found(channel, VALUE, event("/a"), event("/b"), event("/b"))).toEqual([
      undefined,
      undefined,
      undefined,
      "event",
    ]);
    expect(channel.missing()).toBeUndefined();
  });

  test("says what is wrong with a reply: another payload, an error, another request, before its time", () => {
    expect(found(channelWith(), { ...VALUE, payload: "2" })).toEqual(["reply"]);
    expect(found(channelWith(), { ...VALUE, type: ERROR, payload: "ENOENT\0" })).toEqual(["reply"]);
    expect(found(channelWith(), { ...VALUE, requestId: 8 })).toEqual(["order"]);
    expect(channelWith().receive(VALUE, 2)).toEqual({
      check: "acknowledgement",
      problem: 'READ "1" (request 7) came before commit 3 was handed over',
    });
  });

  test("tells an event that comes too early from one that was never due", () => {
    const events: Expected = { kind: "events", events: due("/a", "/b") };
    expect(found(channelWith(events), event("/a"))).toEqual(["order"]);
    expect(found(channelWith(events), VALUE, event("/b"))).toEqual([undefined, "order"]);
    expect(found(channelWith(events), VALUE, event("/c"))).toEqual([undefined, "event"]);
  });

  test("leaves the order of a removal's events open, as far as children come before parents", () => {
    const removals: Expected = { kind: "removals", events: due("/a/b/c", "/a/b", "/a/d") };
    const orders = (...paths: string[]): unknown[] => found(channelWith(removals), VALUE, ...paths.map(event));
    expect(orders("/a/b/c", "/a/b", "/a/d")).toEqual([undefined, undefined, undefined, undefined]);
    expect(orders("/a/d", "/a/b/c", "/a/b")).toEqual([undefined, undefined, undefined, undefined]);
    expect(orders("/a/b")).toEqual([undefined, "order"]);
  });

  test("tells what is missing, as long as it is open", () => {
    const channel = channelWith({ kind: "events", events: due("/a") });
    expect(channel.missing()?.problem).toBe(
      'the reply "1" to READ "/a\\u0000" (request 7) of nobody of dom0 (socket-1) on the state after commit 3 was due and never came',
    );
    found(channel, VALUE);
    expect(channel.missing()?.problem).toMatch(/^the event "\/a\\u0000t\\u0000" for READ/);
    found(channel, event("/a"));
    channel.arrived.push(READ);
    expect(channel.missing()?.problem).toBe('READ "/a\\u0000" (request 7) was never answered');
    channel.close();
    expect(channel.missing()).toBeUndefined();
  });
});

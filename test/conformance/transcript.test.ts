/**
 * The transcripts' own tests: a player that finds no mistake would make every transcript pass.
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { serializeError, serializeMessage, serializeWatchEvent, type Message } from "../../protocol/message.js";
import { MessageParser } from "../../protocol/parser.js";
import type { DaemonProcess } from "../support/daemon-process.js";
import { temporaryDirectory } from "../support/temporary-directory.js";
import { connectClient } from "../support/wire-client.js";
import { playTranscript, type Opponent } from "./player.js";
import { differencesOf, parseTranscripts, splitWords, type Transcript } from "./transcript.js";

/** What a stand-in for a daemon sends when a message comes. */
type Behaviour = (message: Message, socket: Socket) => string;

let server: Server | undefined;

afterEach(() => {
  server?.close();
  server = undefined;
});

/** A daemon that answers as a test wants; it answers the player's own question for silence correctly. */
async function standIn(behaviour: Behaviour): Promise<DaemonProcess> {
  const path = join(temporaryDirectory(), "socket");
  server = createServer((socket) => {
    const parser = new MessageParser();
    socket.setEncoding("latin1").on("error", () => undefined);
    socket.on("data", (chunk) => {
      parser.push(chunk as unknown as string);
      for (let message = parser.next(); message !== undefined; message = parser.next()) {
        const isSilenceCheck = message.type === 10 && message.payload === "0\0";
        const output = isSilenceCheck ? serializeMessage(message) : behaviour(message, socket);
        if (output !== "" && !socket.destroyed) socket.write(output, "latin1");
      }
    });
  });
  const listening = server;
  await new Promise<void>((resolve) => listening.listen(path, resolve));
  return { connect: () => connectClient(path) } as Partial<DaemonProcess> as DaemonProcess;
}

function only(source: string): Transcript {
  const [transcript] = parseTranscripts("test", source);
  if (transcript === undefined) throw new Error("no transcript");
  return transcript;
}

async function play(source: string, behaviour: Behaviour, opponent: Opponent = "ours"): Promise<void> {
  await playTranscript(await standIn(behaviour), opponent, only(source));
}

const readX: Behaviour = (message) => serializeMessage({ ...message, payload: "x" });
const READ = "== t\nA> READ /a\nA< READ x\n";

describe("splitWords", () => {
  test.each([
    ["READ /a", ["READ", "/a"]],
    ['WRITE "/a b" ""', ["WRITE", "/a b", ""]],
    ['"\\0\\n\\x41\\"\\\\"', ['\0\nA"\\']],
    ["/{a*3}b{\\xff*2}", ["/aaab\xff\xff"]],
  ])("%s", (line, texts) => {
    expect(splitWords(line)).toEqual(texts.map((text) => ({ kind: "text", text })));
  });

  test("knows variables, raw payloads and the open end", () => {
    const words = [{ kind: "variable", name: "t" }, { kind: "raw", text: "a\0" }, { kind: "rest" }];
    expect(splitWords('$t raw:"a\\0" ...')).toEqual(words);
  });

  test.each(['"open', "\\q", "\\x4"])("refuses %s", (line) => {
    expect(typeof splitWords(line)).toBe("string");
  });
});

describe("parseTranscripts", () => {
  test.each([
    ["A> READ /a\n", "test:1: a transcript starts with"],
    ["== t\nREAD /a\n", "test:2: "],
    ["== t\nA> FROB /a\n", 'test:2: "FROB" is not an operation'],
    ["== t\nA< ERROR EFOO\n", "test:2: an ERROR has one of the wire's names"],
    ["== t\nA< EVENT /a\n", "test:2: an EVENT has a path and a token"],
    ["== t\n@c READ x -- why\n", "test:2: a difference of what?"],
    ["== t\nA< READ x\n@c READ y\n", "test:3: a difference is"],
    ["== t\nrepeat 2\nA> READ /a\n", "test:2: a repeat without an end"],
    ["== t\nend\n", "test:2: an end without a repeat"],
  ])("%j is refused with its line", (source, message) => {
    expect(() => parseTranscripts("test", source)).toThrow(message);
  });

  test("repeat writes its lines out, and a difference in it counts once", () => {
    const transcript = only("== t\nrepeat 3\nA> READ /n{i}\nA< READ x\n@c READ y -- why\nend\n");
    expect(transcript.steps.map(({ text }) => text)).toEqual(
      ["1", "2", "3"].flatMap((turn) => [`A> READ /n${turn}`, "A< READ x"]),
    );
    expect(differencesOf(transcript)).toEqual([{ peer: "c", text: "READ y", reason: "why", line: 5 }]);
  });
});

describe("playTranscript accepts", () => {
  test("the expected answer", async () => {
    await play(READ, readX);
  });

  test("a peer's listed difference, and on that peer nothing else", async () => {
    const source = "== t\nA> READ /a\nA< READ y\n@c READ x -- why\n";
    await play(source, readX, "c");
    await expect(play(source, readX, "o")).rejects.toThrow("got READ");
    await expect(play("== t\nA> READ /a\nA< READ x\n@c READ y -- why\n", readX, "c")).rejects.toThrow("got READ");
  });

  test("an event before its reply on a peer, unless the transcript is strict", async () => {
    const eventFirst: Behaviour = (message) =>
      serializeWatchEvent("/a", "t") + serializeMessage({ ...message, payload: "x" });
    const source = "A> READ /a\nA< READ x\nA< EVENT /a t\n";
    await play(`== t\n${source}`, eventFirst, "c");
    await expect(play(`== t\nstrict\n${source}`, eventFirst, "c")).rejects.toThrow("got WATCH_EVENT");
    await expect(play(`== t\n${source}`, eventFirst)).rejects.toThrow("got WATCH_EVENT");
  });
});

describe("playTranscript refuses", () => {
  interface Case {
    readonly claim: string;
    readonly message: string;
    readonly behaviour: Behaviour;
    readonly source?: string;
  }
  const answer =
    (change: (message: Message) => Partial<Message>): Behaviour =>
    (message) =>
      serializeMessage({ ...message, payload: "x", ...change(message) });
  const directory = "== t\nA> DIRECTORY /a\nA< DIRECTORY a\n";
  const cases: readonly Case[] = [
    { claim: "another value", message: "test:3: A< READ x", behaviour: answer(() => ({ payload: "y" })) },
    { claim: "an error", message: "got ERROR", behaviour: ({ requestId }) => serializeError(requestId, 0, "ENOENT") },
    { claim: "another type", message: "got DIRECTORY", behaviour: answer(() => ({ type: 1 })) },
    { claim: "another request id", message: "is due", behaviour: answer(() => ({ requestId: 99 })) },
    { claim: "another transaction id", message: "is due", behaviour: answer(() => ({ txId: 5 })) },
    {
      claim: "a second reply",
      message: "nothing was to come",
      behaviour: (message, socket) => readX(message, socket).repeat(2),
    },
    {
      claim: "an event that nobody expects",
      message: "nothing was to come",
      behaviour: (message, socket) => readX(message, socket) + serializeWatchEvent("/a", "t"),
    },
    {
      claim: "an end of the connection",
      message: "the connection was closed",
      behaviour: (_message, socket) => {
        socket.destroy();
        return "";
      },
    },
    {
      claim: "an answer instead of an end",
      message: "got READ",
      behaviour: readX,
      source: "== t\nA> READ /a\nA< closed\n",
    },
    {
      claim: "an answer that no line expects",
      message: "nothing was to come",
      behaviour: readX,
      source: "== t\nA> READ /a\n",
    },
    {
      claim: "more words",
      message: "got DIRECTORY",
      behaviour: answer(() => ({ payload: "a\0b\0" })),
      source: directory,
    },
    {
      claim: "a NUL that is missing",
      message: "got DIRECTORY",
      behaviour: answer(() => ({ payload: "a" })),
      source: directory,
    },
    {
      claim: "another value of a variable",
      message: "got READ",
      behaviour: answer(({ requestId }) => ({ payload: String(requestId) })),
      source: "== t\nA> READ /a\nA< READ $v\nA> READ /a\nA< READ $v\n",
    },
  ];
  test.each(cases)("$claim", async ({ behaviour, message, source = READ }) => {
    await expect(play(source, behaviour)).rejects.toThrow(message);
  });
});

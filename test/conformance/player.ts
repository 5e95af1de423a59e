/**
 * Plays transcripts against a daemon.
 *
 * Owns what a transcript's steps mean on sockets, and the comparison. Ours is compared strictly: every message in its
 * order. On a peer, replies and events are two streams, because a client library reads them as such and C sends a
 * writer's own event before its reply; and the names of a DIRECTORY are a set. A transcript marked `strict` is compared
 * strictly on peers too. What nobody expects fails a transcript: at its end every connection must be silent.
 */
import { serializeStrings, parseStrings } from "../../protocol/payload.js";
import type { Message } from "../../protocol/message.js";
import { ERROR, operationNamed, WATCH_EVENT } from "../../protocol/operation.js";
import type { DaemonProcess, PeerKind } from "../support/daemon-process.js";
import { describeMessage, isEvent, type WireClient } from "../support/wire-client.js";
import type { Expected, RequestStep, Step, Transcript, Word } from "./transcript.js";

/** What is played against: our daemon, or a peer. */
export type Opponent = "ours" | PeerKind;

const WRITE = operationNamed("WRITE").number;
const READ = operationNamed("READ").number;
/** The request id of the question that proves silence; transcripts do not use it. */
const SILENCE_REQUEST_ID = 0xfedcba98;

interface Pending {
  readonly requestId: number;
  readonly type: number;
  readonly txId: number;
}

/** One connection of a play. */
interface Player {
  readonly client: WireClient;
  /** Requests without an answer yet, oldest first. */
  readonly pending: Pending[];
  /** Bytes of the request that `first` began. */
  rest: string;
}

class Mismatch extends Error {}

/** One play of one transcript. */
class Play {
  readonly #daemon: DaemonProcess;
  readonly #opponent: Opponent;
  readonly #transcript: Transcript;
  readonly #players = new Map<string, Player>();
  readonly #variables = new Map<string, string>();
  #lastRequestId = 0;

  constructor(daemon: DaemonProcess, opponent: Opponent, transcript: Transcript) {
    this.#daemon = daemon;
    this.#opponent = opponent;
    this.#transcript = transcript;
  }

  async run(): Promise<void> {
    const { file, steps } = this.#transcript;
    try {
      for (const step of steps) {
        try {
          await this.#perform(step);
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error);
          throw new Mismatch(`${file}:${String(step.line)}: ${step.text}\n  ${reason}`);
        }
      }
      for (const [name, player] of this.#players) await this.#expectEnd(name, player);
    } finally {
      for (const { client } of this.#players.values()) client.destroy();
    }
  }

  async #perform(step: Step): Promise<void> {
    if (step.kind === "connect") {
      const client = await (step.domid === 0 ? this.#daemon.connect() : this.#daemon.connectGuest(step.domid));
      this.#players.set(step.client, { client, pending: [], rest: "" });
      return;
    }
    const player = await this.#playerNamed(step.client);
    switch (step.kind) {
      case "request":
        this.#request(player, step);
        break;
      case "header":
        player.client.sendHeader(step.type, step.length, { requestId: ++this.#lastRequestId });
        break;
      case "bytes":
        player.client.sendBytes(step.bytes);
        break;
      case "rest":
        player.client.sendBytes(player.rest);
        player.rest = "";
        break;
      case "end":
        player.client.endWriting();
        break;
      case "close":
        player.client.destroy();
        this.#players.delete(step.client);
        break;
      case "expect": {
        const own = step.peers.filter(({ difference }) => difference.peer === this.#opponent);
        const wanted = own.length === 0 ? [step.expected] : own.map(({ expected }) => expected);
        for (const expected of wanted) await this.#expect(player, step.transaction, expected);
        break;
      }
    }
  }

  /** A name that was not connected is a client of the privileged socket. */
  async #playerNamed(name: string): Promise<Player> {
    let player = this.#players.get(name);
    if (player === undefined) {
      player = { client: await this.#daemon.connect(), pending: [], rest: "" };
      this.#players.set(name, player);
    }
    return player;
  }

  #request(player: Player, step: RequestStep): void {
    const requestId = step.requestId ?? ++this.#lastRequestId;
    const txId = step.transaction === undefined ? 0 : this.#transactionId(step.transaction);
    const { bytes } = player.client.encode(step.type, this.#payloadOf(step), { requestId, txId });
    player.pending.push({ requestId, type: step.type, txId });
    if (step.firstBytes === undefined) player.client.sendBytes(bytes);
    else {
      player.client.sendBytes(bytes.slice(0, step.firstBytes));
      player.rest = bytes.slice(step.firstBytes);
    }
  }

  #transactionId(written: string): number {
    return Number(written.startsWith("$") ? this.#valueOf(written.slice(1)) : written);
  }

  #payloadOf({ type, words }: RequestStep): string {
    const [first] = words;
    if (first?.kind === "raw") return first.text;
    const strings = words.map((word) => {
      if (word.kind === "variable") return this.#valueOf(word.name);
      if (word.kind === "text") return word.text;
      throw new Mismatch("raw:… and ... stand alone");
    });
    return type === WRITE ? strings.join("\0") : serializeStrings(strings);
  }

  #valueOf(name: string): string {
    const value = this.#variables.get(name);
    if (value === undefined) throw new Mismatch(`$${name} has no value yet`);
    return value;
  }

  async #expect(player: Player, transaction: string | undefined, expected: Expected): Promise<void> {
    if (expected.kind === "nothing") {
      await this.#expectSilence(player);
      return;
    }
    const message = await this.#receive(player, expected);
    if (expected.kind === "closed") {
      if (message !== undefined) throw new Mismatch(`got ${describeMessage(message)}`);
      return;
    }
    if (message === undefined) throw new Mismatch("the connection was closed");
    if (expected.kind === "event") this.#compareEvent(expected, message);
    else this.#compareReply(player, transaction, expected, message);
  }

  get #isStrict(): boolean {
    return this.#opponent === "ours" || this.#transcript.strict;
  }

  async #receive(player: Player, expected: Expected): Promise<Message | undefined> {
    const { client } = player;
    if (this.#isStrict || expected.kind === "closed") return client.next();
    if (expected.kind === "event") return client.take(isEvent, "an event");
    return client.take((message) => !isEvent(message), "a reply");
  }

  #compareEvent(expected: Expected & { kind: "event" }, message: Message): void {
    if (message.type !== WATCH_EVENT) throw new Mismatch(`got ${describeMessage(message)}`);
    if (message.requestId !== 0 || message.txId !== 0) throw new Mismatch("an event has req_id 0 and tx_id 0");
    this.#compareWords(expected.words, parseStrings(message.payload), message);
  }

  #compareReply(
    player: Player,
    transaction: string | undefined,
    expected: Expected & { kind: "reply" | "error" },
    message: Message,
  ): void {
    if (isEvent(message)) throw new Mismatch(`got ${describeMessage(message)}`);
    const pending = player.pending.shift();
    if (pending === undefined) throw new Mismatch(`there is no request without an answer: ${describeMessage(message)}`);
    const { requestId, txId } = pending;
    if (message.requestId !== requestId || message.txId !== txId) {
      const due = `req ${String(requestId)} tx ${String(txId)}`;
      throw new Mismatch(`the answer to ${due} is due: ${describeMessage(message)}`);
    }
    if (transaction !== undefined && txId !== this.#transactionId(transaction)) {
      throw new Mismatch(`the request was sent in transaction ${String(txId)}`);
    }
    if (expected.kind === "error") {
      const isSame = message.type === ERROR && message.payload === `${expected.error}\0`;
      if (!isSame) throw new Mismatch(`got ${describeMessage(message)}`);
      return;
    }
    const { operation, words } = expected;
    const { number } = operationNamed(operation);
    if (message.type !== number || pending.type !== number) throw new Mismatch(`got ${describeMessage(message)}`);
    const [first] = words;
    if (first?.kind === "raw") {
      if (message.payload !== first.text) throw new Mismatch(`got ${describeMessage(message)}`);
      return;
    }
    const actual = number === READ ? [message.payload] : parseStrings(message.payload);
    const isSet = operation === "DIRECTORY" && this.#opponent !== "ours";
    this.#compareWords(isSet ? sortedWords(words) : words, isSet ? actual?.sort() : actual, message);
  }

  #compareWords(words: readonly Word[], actual: readonly string[] | undefined, message: Message): void {
    const mismatch = (): Mismatch => new Mismatch(`got ${describeMessage(message)}`);
    if (actual === undefined) throw mismatch();
    const isOpen = words.at(-1)?.kind === "rest";
    const fixed = isOpen ? words.slice(0, -1) : words;
    if (isOpen ? actual.length < fixed.length : actual.length !== fixed.length) throw mismatch();
    for (const [index, word] of fixed.entries()) {
      if (!this.#matches(word, actual[index] ?? "")) throw mismatch();
    }
  }

  #matches(word: Word, text: string): boolean {
    if (word.kind !== "variable") return word.kind === "text" && word.text === text;
    if (word.name === "_") return true;
    const value = this.#variables.get(word.name);
    if (value === undefined) this.#variables.set(word.name, text);
    return value === undefined || value === text;
  }

  /** Asks a harmless question: all that was sent before its answer has arrived with it. */
  async #expectSilence({ client }: Player): Promise<void> {
    const requestId = client.send("GET_DOMAIN_PATH", "0\0", { requestId: SILENCE_REQUEST_ID });
    await client.reply(requestId);
    if (client.inbox.length > 0) {
      throw new Mismatch(`nothing was to come, but there is ${client.inbox.map(describeMessage).join("; ")}`);
    }
  }

  async #expectEnd(name: string, player: Player): Promise<void> {
    const { file, line, title } = this.#transcript;
    const { client } = player;
    if (client.isClosed || player.rest !== "") return;
    try {
      await this.#expectSilence(player);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Mismatch(`${file}:${String(line)}: at the end of "${title}", ${name}: ${reason}`);
    }
    if (player.pending.length > 0) throw new Mismatch(`${name} has requests that no line expects the answers of`);
  }
}

function sortedWords(words: readonly Word[]): Word[] {
  return words.toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
}

function keyOf(word: Word): string {
  return word.kind === "text" ? word.text : "";
}

/** Plays one transcript; throws an error that names the line where the daemon did something else. */
export async function playTranscript(daemon: DaemonProcess, opponent: Opponent, transcript: Transcript): Promise<void> {
  await new Play(daemon, opponent, transcript).run();
}

/** What a daemon was like before its first transcript, to be made so again after each. */
export interface Baseline {
  readonly perms: ReadonlyMap<string, string>;
}

const PERMS_KEPT = ["/", "@introduceDomain", "@releaseDomain"];
const CHILDREN_KEPT = new Set(["tool"]);

/** Notes what transcripts may change and `restore` puts back. */
export async function takeBaseline(daemon: DaemonProcess): Promise<Baseline> {
  const client = await daemon.connect();
  const perms = new Map<string, string>();
  for (const path of PERMS_KEPT) {
    const reply = await client.call("GET_PERMS", `${path}\0`);
    if (reply.type !== ERROR) perms.set(path, reply.payload);
  }
  client.destroy();
  return { perms };
}

/** Removes what a transcript left: domains, nodes, perms. Our daemon must also find its own books in order. */
export async function restore(
  daemon: DaemonProcess,
  opponent: Opponent,
  transcript: Transcript,
  baseline: Baseline,
): Promise<void> {
  const client = await daemon.connect();
  for (const domid of domidsOf(transcript)) await client.call("RELEASE", `${domid}\0`);
  const root = await client.call("DIRECTORY", "/\0");
  for (const name of parseStrings(root.payload) ?? []) {
    if (!CHILDREN_KEPT.has(name)) await client.call("RM", `/${name}\0`);
  }
  await client.call("WRITE", "/\0");
  for (const [path, perms] of baseline.perms) await client.call("SET_PERMS", `${path}\0${perms}`);
  const check = opponent === "ours" ? await client.ask("CONTROL", ["check"]) : "OK";
  client.destroy();
  if (check !== "OK") throw new Mismatch(`CONTROL check after "${transcript.title}": ${check}`);
}

function domidsOf(transcript: Transcript): Set<string> {
  const introduce = operationNamed("INTRODUCE").number;
  const domids = new Set<string>();
  for (const step of transcript.steps) {
    const first = step.kind === "request" && step.type === introduce ? step.words[0] : undefined;
    if (first?.kind === "text" && /^[1-9][0-9]*$/.test(first.text)) domids.add(first.text);
  }
  return domids;
}

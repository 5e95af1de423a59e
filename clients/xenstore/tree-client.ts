/**
 * The requests on the tree, which are the same inside and outside a transaction.
 *
 * Owns what each request looks like to a caller, and the reading of its reply. Paths and values are byte strings; what is
 * text for people goes through `readText`, `writeText`, or `bytesFromText` and `textFromBytes` of the protocol.
 */
import { bytesFromText, textFromBytes, type ByteString } from "../../protocol/bytes.js";
import type { OperationName } from "../../protocol/operation.js";
import {
  directoryPartReply,
  directoryReply,
  permsReply,
  type PayloadCodec,
  type RequestPayloads,
} from "../../protocol/payload.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { isXenstoreError, ProtocolError, XenstoreError } from "./errors.js";

/** Sends a request and resolves to the payload of its reply. */
export type Call = <Name extends OperationName>(operation: Name, request: RequestPayloads[Name]) => Promise<ByteString>;

/** A long list that changes faster than it can be read in parts is given up after so many attempts. */
const DIRECTORY_ATTEMPTS_MAX = 100;

/** Reads a reply; throws when it is not what the operation answers. */
function parseReply<T>(codec: Pick<PayloadCodec<T>, "parse">, operation: OperationName, payload: ByteString): T {
  const reply = codec.parse(payload);
  if (reply === undefined) throw new ProtocolError(`the daemon's reply to ${operation} is malformed`);
  return reply;
}

/** The requests on the tree. Each fails with an `XenstoreError` when the daemon refuses it. */
export class TreeClient {
  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
  }

  /** The value of a node, as a byte string. */
  async read(path: ByteString): Promise<ByteString> {
    return this.#call("READ", { path });
  }

  /** The value of a node, read as UTF-8; malformed sequences become U+FFFD. */
  async readText(path: ByteString): Promise<string> {
    return textFromBytes(await this.read(path));
  }

  /** The value of a node, or undefined when it does not exist. */
  async readIfPresent(path: ByteString): Promise<ByteString | undefined> {
    return ifPresent(this.read(path));
  }

  /** Whether a node exists. It must be readable, or its parent: else the daemon does not tell (EACCES). */
  async exists(path: ByteString): Promise<boolean> {
    return (await this.readIfPresent(path)) !== undefined;
  }

  /** Writes a value, a byte string; creates the node and its parents where they are missing. */
  async write(path: ByteString, value: ByteString): Promise<void> {
    await this.#call("WRITE", { path, value });
  }

  /** Writes a value as UTF-8; else as `write`. */
  async writeText(path: ByteString, text: string): Promise<void> {
    await this.write(path, bytesFromText(text));
  }

  /** Creates a node with an empty value, and its parents; leaves one alone that exists. */
  async mkdir(path: ByteString): Promise<void> {
    await this.#call("MKDIR", { path });
  }

  /** Removes a node with all below it; no error when it is missing and its parent is there. */
  async rm(path: ByteString): Promise<void> {
    await this.#call("RM", { path });
  }

  /**
   * The names of the children, in the daemon's order.
   *
   * A list that does not fit a message is read in parts; when it changes between the parts, reading starts again, so the
   * result is one that existed. Against a daemon that has no DIRECTORY_PART such a list fails with E2BIG.
   */
  async directory(path: ByteString): Promise<ByteString[]> {
    try {
      return [...parseReply(directoryReply, "DIRECTORY", await this.#call("DIRECTORY", { path }))];
    } catch (error) {
      if (!isXenstoreError(error, "E2BIG")) throw error;
    }
    for (let attempt = 1; attempt <= DIRECTORY_ATTEMPTS_MAX; attempt++) {
      const names = await this.#directoryInParts(path);
      if (names !== undefined) return names;
    }
    const reason = `the list of names kept changing while it was read, ${String(DIRECTORY_ATTEMPTS_MAX)} times`;
    throw new XenstoreError({ operation: "DIRECTORY_PART", subject: path, code: "EAGAIN", reason });
  }

  /** The permissions of a node. */
  async getPerms(path: ByteString): Promise<Perms> {
    return parseReply(permsReply, "GET_PERMS", await this.#call("GET_PERMS", { path }));
  }

  /**
   * Replaces the permissions of a node.
   *
   * @param perms - a list, or its text with spaces between the entries, such as `n0 r5`
   */
  async setPerms(path: ByteString, perms: Perms | string): Promise<void> {
    const parsed = typeof perms === "string" ? permsFromText(path, perms) : perms;
    await this.#call("SET_PERMS", { path, perms: parsed });
  }

  /** Reads a list in parts; undefined when it changed meanwhile. */
  async #directoryInParts(path: ByteString): Promise<ByteString[] | undefined> {
    const names: ByteString[] = [];
    let generation: ByteString | undefined;
    let offset = 0;
    for (;;) {
      const reply = await this.#call("DIRECTORY_PART", { path, offset });
      const part = parseReply(directoryPartReply, "DIRECTORY_PART", reply);
      generation ??= part.generation;
      if (part.generation !== generation) return undefined;
      for (const name of part.names) {
        names.push(name);
        offset += name.length + 1;
      }
      if (part.last) return names;
      if (part.names.length === 0) throw new ProtocolError("the daemon's reply to DIRECTORY_PART has no end");
    }
  }
}

function permsFromText(path: ByteString, text: string): Perms {
  const perms = parsePerms(text.split(" "));
  if (perms !== undefined) return perms;
  const reason = `bad permissions "${text}"; an entry is one of n, r, w, b and a domain id, such as n0 r5`;
  throw new XenstoreError({ operation: "SET_PERMS", subject: path, code: "EINVAL", reason });
}

async function ifPresent<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isXenstoreError(error, "ENOENT")) return undefined;
    throw error;
  }
}

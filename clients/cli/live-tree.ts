/**
 * A daemon's nodes, as `xs ls` shows them.
 *
 * Owns the walk over the wire: many requests are under way at once, and what may not be read is passed over.
 */
import type { ByteString } from "../../protocol/bytes.js";
import type { Perms } from "../../protocol/perms.js";
import type { XenstoreClient } from "../xenstore/client.js";
import { isXenstoreError, XenstoreError } from "../xenstore/errors.js";
import type { ListedNode } from "./format.js";

/** One reading of a daemon. */
export interface Reading {
  readonly client: XenstoreClient;
  /** Whether perms are wanted. */
  readonly perms: boolean;
  /** Why the first node that may not be read may not. */
  refused: XenstoreError | undefined;
}

/** What is known of a node, all of which is asked for at once. */
interface Loaded {
  readonly name: ByteString;
  readonly value: Promise<ByteString | XenstoreError>;
  readonly perms: Promise<Perms | XenstoreError> | undefined;
  readonly names: Promise<readonly ByteString[] | XenstoreError>;
}

/** Names of children whose requests are under way, and how far they have been shown. */
interface Level {
  readonly path: ByteString;
  readonly names: readonly ByteString[];
  readonly loaded: Loaded[];
  next: number;
}

/** Nodes of one level that are asked for ahead: each is up to three requests. */
const AHEAD = 64;

/**
 * The nodes below a path, parents before children, in the daemon's order. There is no snapshot, as in xenstore-ls: a node
 * that vanishes meanwhile is left out.
 */
export async function* liveNodes(reading: Reading, top: ByteString): AsyncGenerator<ListedNode> {
  const levels: Level[] = [{ path: top, names: await reading.client.directory(top), loaded: [], next: 0 }];
  for (;;) {
    const level = levels.at(-1);
    if (level === undefined) return;
    const loaded = takeNext(reading, level);
    if (loaded === undefined) {
      levels.pop();
      continue;
    }
    const { name } = loaded;
    const path = below(level.path, name);
    const [value, perms, names] = await Promise.all([loaded.value, loaded.perms, loaded.names]);
    if (isGone(value)) continue;
    yield {
      path,
      name,
      depth: levels.length - 1,
      value: given(reading, value),
      perms: perms === undefined ? undefined : given(reading, perms),
    };
    const children = given(reading, names) ?? [];
    if (children.length > 0) levels.push({ path, names: children, loaded: [], next: 0 });
  }
}

/** The next node of a level; asks for those behind it. */
function takeNext(reading: Reading, level: Level): Loaded | undefined {
  while (level.loaded.length < AHEAD) {
    const name = level.names[level.next];
    if (name === undefined) break;
    level.next++;
    level.loaded.push(load(reading, below(level.path, name), name));
  }
  return level.loaded.shift();
}

function load({ client, perms }: Reading, path: ByteString, name: ByteString): Loaded {
  return {
    name,
    value: refusalAsValue(client.read(path)),
    perms: perms ? refusalAsValue(client.getPerms(path)) : undefined,
    names: refusalAsValue(client.directory(path)),
  };
}

/** Requests are made ahead of their use: a refusal waits as a value, and an error that nobody comes to see is no accident. */
function refusalAsValue<T>(reply: Promise<T>): Promise<T | XenstoreError> {
  const settled = reply.catch((error: unknown) => {
    if (isXenstoreError(error)) return error;
    throw error;
  });
  settled.catch(() => undefined);
  return settled;
}

function isGone(value: unknown): boolean {
  return isXenstoreError(value, "ENOENT");
}

/** What was read, or undefined when it was refused, which is remembered unless the node has just vanished. */
function given<T>(reading: Reading, result: T | XenstoreError): T | undefined {
  if (!(result instanceof XenstoreError)) return result;
  if (!isGone(result)) reading.refused ??= result;
  return undefined;
}

function below(parent: ByteString, name: ByteString): ByteString {
  return parent.endsWith("/") ? parent + name : `${parent}/${name}`;
}

/**
 * `xs ls`: a tree with its values, as `xenstore-ls` prints it.
 */
import { Option, type Command } from "commander";
import { bytesFromText, type ByteString } from "../../../protocol/bytes.js";
import type { Perms } from "../../../protocol/perms.js";
import { permsJson, valueJson } from "../../../protocol/http-api/value.js";
import type { XenstoreClient } from "../../xenstore/client.js";
import { isXenstoreError, XenstoreError } from "../../xenstore/errors.js";
import { examples, type CliContext } from "../context.js";
import { ExitError, EXIT_FAILURE } from "../exit.js";
import { jsonArray, listingLine, type ListedNode, type ListingStyle } from "../format.js";

/** Width when there is no terminal, as in xenstore-ls. */
const WIDTH = 80;
/** Columns of a terminal that stay free, as in xenstore-ls. */
const MARGIN = 2;
/** Lines are collected up to this many characters before they are written. */
const CHUNK_CHARACTERS = 65_536;

interface LsOptions {
  readonly full?: boolean;
  readonly perms?: boolean;
  readonly wide?: boolean;
}

/** Adds `xs ls`. */
export function addLs(program: Command, context: CliContext): void {
  program
    .command("ls")
    .summary("show nodes with their values, as a tree")
    .description("Shows the nodes below each PATH with their values, in the format of xenstore-ls.")
    .argument("[path...]", "where to start (default: /)")
    .addOption(new Option("-f, --full", "show whole paths, and values without cutting them"))
    .addOption(new Option("-p, --perms", "show permissions, the owner's first"))
    .addOption(new Option("-w, --wide", "never cut values at the width of the terminal"))
    .addHelpText("after", examples(["xs ls", "xs ls -f -p /local/domain/5", "xs ls --json / | jq -r '.[].path'"]))
    .action(async (paths: string[], options: LsOptions) => {
      const start = paths.length === 0 ? ["/"] : paths;
      const refused = await context.withClient((client) => list(client, start.map(bytesFromText), options, context));
      if (refused === undefined) return;
      throw new ExitError(EXIT_FAILURE, `not everything could be read: ${refused.message}`, { cause: refused });
    });
}

function styleOf(options: LsOptions, context: CliContext): ListingStyle {
  const { columns } = context.io;
  const narrow = columns === undefined ? WIDTH : columns - MARGIN;
  return {
    fullPaths: options.full === true,
    perms: options.perms === true,
    width: options.wide === true ? Infinity : narrow,
    colours: context.hasColours(),
  };
}

/** Prints the trees; returns why the first node that could not be read could not. */
async function list(
  client: XenstoreClient,
  paths: readonly ByteString[],
  options: LsOptions,
  context: CliContext,
): Promise<XenstoreError | undefined> {
  const style = styleOf(options, context);
  const reading: Reading = { client, perms: options.perms === true, refused: undefined };
  const nodes: ListedNode[] = [];
  let text = "";
  for (const path of paths) {
    for await (const node of walk(reading, path)) {
      if (context.isJson()) nodes.push(node);
      else text += `${listingLine(node, style)}\n`;
      if (text.length < CHUNK_CHARACTERS) continue;
      await context.io.out(text);
      text = "";
    }
  }
  await context.io.out(context.isJson() ? jsonArray(nodes.map(nodeJson)) : text);
  return reading.refused;
}

function nodeJson({ path, value, perms }: ListedNode): object {
  return {
    path,
    ...(value === undefined ? {} : valueJson(value)),
    ...(perms === undefined ? {} : { perms: permsJson(perms) }),
  };
}

interface Reading {
  readonly client: XenstoreClient;
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
async function* walk(reading: Reading, top: ByteString): AsyncGenerator<ListedNode> {
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

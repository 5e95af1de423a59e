/**
 * `xs watch`: changes as they happen.
 *
 * Owns the merging of several watches: events are printed in the order of their arrival, and a reader of the output that is
 * slow makes the watches' buffers fill, not the memory.
 */
import { Option, type Command } from "commander";
import { bytesFromText } from "../../../protocol/bytes.js";
import type { XenstoreClient } from "../../xenstore/client.js";
import type { Watch, WatchEvent, WatchOptions } from "../../xenstore/watch.js";
import type { CliContext } from "../context.js";
import { DAEMON_EXITS, examples, exitCodes } from "../help-text.js";
import { ExitError } from "../exit.js";
import { jsonLine } from "../format.js";
import { parseNumber } from "./parse-number.js";

interface WatchCommandOptions {
  readonly count?: number;
  readonly depth?: number;
}

/** Adds `xs watch`. */
export function addWatch(program: Command, context: CliContext): void {
  program
    .command("watch")
    .summary("print paths as they change")
    .description(
      "Prints the path of each change at or below a PATH, until Ctrl-C (exit code 130). Each watch begins with an event of\n" +
        "its own path, whether or not it has changed. @introduceDomain and @releaseDomain tell of domains.",
    )
    .argument("<path...>", "what to watch")
    .addOption(new Option("-n, --count <count>", "end after this many events").argParser(parseNumber))
    .addOption(
      new Option("-d, --depth <levels>", "watch so many levels below, 0 for the path alone").argParser(parseNumber),
    )
    .addHelpText("after", exitCodes({ ...DAEMON_EXITS, 0: "so many events came as -n told", 130: "ended by Ctrl-C" }))
    .addHelpText("after", examples(["xs watch /local/domain/5", "xs watch -n 2 @releaseDomain", "xs watch --json /"]))
    .action(async (paths: string[], options: WatchCommandOptions) => {
      if (options.count === 0) return;
      await context.withClient((client) => watchPaths(client, paths, options, context));
    });
}

async function watchPaths(
  client: XenstoreClient,
  paths: readonly string[],
  { count, depth }: WatchCommandOptions,
  context: CliContext,
): Promise<void> {
  const options: WatchOptions = depth === undefined ? {} : { depth };
  const interruption = new AbortController();
  const forget = context.io.onInterrupt((exitCode) => {
    interruption.abort(new ExitError(exitCode));
    client.close();
  });
  try {
    const watches = await Promise.all(paths.map((path) => client.watch(bytesFromText(path), options)));
    let left = count ?? Infinity;
    for await (const events of inOrder(watches)) {
      const shown = events.slice(0, left);
      left -= shown.length;
      await context.io.out(shown.map((event) => line(event, context.isJson())).join(""));
      if (left === 0) return;
    }
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
  } finally {
    forget();
  }
  interruption.signal.throwIfAborted();
}

function line({ path, missed }: WatchEvent, isJson: boolean): string {
  if (!isJson) return `${path}\n`;
  return jsonLine(missed ? { path, missed } : { path });
}

/** Events that are gathered while the output takes no more; the watches' own buffers hold the rest. */
const GATHERED_EVENTS_MAX = 1000;

/** The events of several watches in the order of their arrival, as many at a time as there are; ends with the watches. */
async function* inOrder(watches: readonly Watch[]): AsyncGenerator<WatchEvent[]> {
  let gathered: WatchEvent[] = [];
  let state: "open" | "ended" | { readonly failure: unknown } = "open";
  let announce = (): void => undefined;
  let makeRoom = (): void => undefined;
  const gather = async (watch: Watch): Promise<void> => {
    for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
      gathered.push(event);
      announce();
      if (gathered.length >= GATHERED_EVENTS_MAX) await room;
    }
  };
  const nextRoom = (): Promise<void> => new Promise((resolve) => (makeRoom = resolve));
  let room = nextRoom();
  Promise.all(watches.map(gather)).then(
    () => {
      state = "ended";
      announce();
    },
    (failure: unknown) => {
      state = { failure };
      announce();
    },
  );
  const isOpen = (): boolean => state === "open";
  for (;;) {
    if (gathered.length === 0 && isOpen()) await new Promise<void>((resolve) => (announce = resolve));
    // Events that arrived together pass through the watches in this turn of the event loop: then all of them are here.
    await new Promise<void>((resolve) => setImmediate(resolve));
    const events = gathered.sort((left, right) => left.order - right.order);
    gathered = [];
    makeRoom();
    room = nextRoom();
    if (events.length > 0) yield events;
    else if (!isOpen()) break;
  }
  if (typeof state === "object") throw (state as { readonly failure: unknown }).failure;
}

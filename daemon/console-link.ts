/**
 * What the main thread does for the console: seals the history, keeps the state of a moment, makes changes, and tells what is
 * in no commit.
 *
 * Owns the pins. A root is immutable and shares what did not change, so keeping one costs what has changed since.
 */
import { CHANGES_LISTED_MAX } from "../protocol/http-api/changes.js";
import { DOM0 } from "../protocol/identifiers.js";
import type { ListingNode } from "../protocol/listing/parse-listing.js";
import type { ChangeOutcome } from "./dispatch/apply-changes.js";
import type { Connection } from "./connection/connection.js";
import type { Core } from "./dispatch/core.js";
import { factsOfTransaction } from "./dispatch/failed-transactions.js";
import type {
  ChangeRequest,
  CoreLink,
  CoreQuestions,
  LivePage,
  LoadOrder,
  LoadOutcome,
  Pin,
  RequestsAnswer,
  RequestsOrder,
} from "./http/messages.js";
import type { DaemonFigures } from "./http/metrics/daemon-figures.js";
import { messageOf } from "./platform/error-message.js";
import type { Server } from "./server/server.js";
import type { Path } from "../protocol/identifiers.js";
import type { Change, NodeState } from "./store/commit.js";
import { changesToListing } from "./store/listing-changes.js";
import { emptyRoot, getNode, type Root } from "./store/root.js";

/** What the link works with. */
export interface ConsoleLinkPorts {
  readonly server: Pick<Server, "perform">;
  /** Settles when all that was committed before is sealed in the history; `isPatient` where others come first, for a second. */
  readonly flushHistory: (options: { readonly isPatient: boolean }) => Promise<unknown>;
  /** Changes out of the history as the store may take them: what was redacted there is empty. */
  readonly emptyRedacted: (changes: readonly Change[]) => readonly Change[];
  /** Whether the journal holds so much that the history lacks that nobody may commit now. */
  readonly isFull: () => boolean;
  /** What the metrics are made of; undefined where nothing is counted. */
  readonly takeFigures: () => DaemonFigures | undefined;
}

/** Most states that are kept at a time; a console asks for one for each request that changes something. */
const PINS_MAX = 64;

const DOM0_ALONE = emptyRoot().node.perms;

/** Makes the link. */
export function createConsoleLink(ports: ConsoleLinkPorts): CoreLink {
  const { server, flushHistory, emptyRedacted, isFull, takeFigures } = ports;
  const pins = new Map<number, Root>();
  let lastPin = 0;
  let admin: Connection | undefined;
  const adminOf = (core: Core): Connection => (admin ??= core.connect(DOM0, "admin"));

  const pin = async (): Promise<Pin> => {
    if (pins.size >= PINS_MAX) throw new Error("too many changes are being worked out at a time");
    const id = ++lastPin;
    const seq = await server.perform((core) => {
      pins.set(id, core.root);
      return core.seq;
    });
    try {
      await flushHistory({ isPatient: false });
    } catch (error) {
      pins.delete(id);
      throw error;
    }
    return { id, seq };
  };

  // What stands for a secret in a dump is no value: the node keeps the one that it has.
  const unlessRedacted = (node: ListingNode): ListingNode => {
    const { path, value, perms = DOM0_ALONE } = node;
    const change: Change = { kind: "node", path, before: undefined, after: { value, perms } };
    return emptyRedacted([change])[0] === change ? node : { ...node, value: "", isPartial: true };
  };

  const load = async ({ nodes, top, isDryRun, act }: LoadOrder): Promise<LoadOutcome> =>
    await server.perform((core) => {
      const changes = changesToListing(core.root, nodes.map(unlessRedacted), top);
      const told = { changes: changes.slice(0, CHANGES_LISTED_MAX), changeCount: changes.length };
      if (isDryRun) return { made: undefined, ...told };
      return { made: core.makeChanges(adminOf(core), { from: core.root, changes, way: "restore", act }), ...told };
    });

  const change = async ({ pin: id, changes, ...order }: ChangeRequest): Promise<ChangeOutcome> => {
    const from = pins.get(id);
    if (from === undefined) throw new Error(`there is no pin ${String(id)}`);
    const act = (core: Core): ChangeOutcome =>
      core.makeChanges(adminOf(core), {
        ...order,
        from,
        changes: emptyRedacted(withOwnSecrets(changes, { from, way: order.way, emptyRedacted })),
      });
    return await server.perform(act);
  };

  const requests = async (order: RequestsOrder): Promise<RequestsAnswer> =>
    await server.perform((core) => {
      if (isFull()) return { outcome: "full" };
      return core.applyRequests(adminOf(core), order);
    });

  const answers: Answers<keyof CoreQuestions> = {
    flush: () => behindAfter(flushHistory({ isPatient: true })),
    pin,
    change,
    load,
    release: (id) => void pins.delete(id),
    requests,
    figures: takeFigures,
    ...lookingAnswers(server),
  };
  return {
    ask: async (name, asked) => (await answers[name](asked)) as never,
  };
}

/** Why the history is behind after a flush, where it is. */
async function behindAfter(flush: Promise<unknown>): Promise<{ readonly behind: string | undefined }> {
  try {
    await flush;
    return { behind: undefined };
  } catch (error) {
    return { behind: messageOf(error) };
  }
}

type Answers<Names extends keyof CoreQuestions> = {
  readonly [Name in Names]: (asked: CoreQuestions[Name]["asked"]) => unknown;
};

/** The questions for which it is enough to look. */
function lookingAnswers(
  server: ConsoleLinkPorts["server"],
): Answers<"failures" | "why" | "live" | "quotas" | "seq" | "explainWatch"> {
  return {
    failures: (filter) => server.perform((core) => core.failures.newest(filter)),
    why: (question) =>
      server.perform((core) => factsOfTransaction(core.failures.newest({ error: "EAGAIN" }).failures, question)),
    live: ({ list, after, limit }) => server.perform((core): LivePage => core.live[list]({ after, limit })),
    quotas: (domid) => server.perform((core) => core.live.quotas(domid)),
    seq: () => server.perform((core) => core.seq),
    explainWatch: (question) => server.perform((core) => core.explainWatch(question)),
  };
}

interface Secrets extends Pick<ConsoleLinkPorts, "emptyRedacted"> {
  readonly from: Root;
  readonly way: ChangeRequest["way"];
}

/**
 * The history does not know what the store has where a value was kept out of it: where it is to be as it was, or nobody knows
 * what it was to be, the store keeps its own.
 */
function withOwnSecrets(changes: readonly Change[], { from, way, emptyRedacted }: Secrets): readonly Change[] {
  const isSecret = (path: Path, state: NodeState | undefined): boolean => {
    if (state === undefined) return false;
    const change: Change = { kind: "node", path, before: undefined, after: state };
    return emptyRedacted([change])[0] !== change;
  };
  return changes.map((change) => {
    if (change.kind !== "node" || change.after === undefined || !isSecret(change.path, change.before)) return change;
    const { path, before, after } = change;
    const isUnknown = after.value === "" || isSecret(path, after);
    const isKept = way === "merge" ? isUnknown : after.value === before?.value;
    const value = getNode(from, path)?.value;
    return isKept && value !== undefined ? { ...change, after: { ...after, value } } : change;
  });
}

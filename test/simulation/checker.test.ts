/**
 * The checker finds nothing in runs of the daemon, and each of many mistakes that are made in its name.
 *
 * A mistake is made each time that there is an occasion for it: on the wire, in the commits that are handed over, or in the
 * daemon's modules. It must be found within `SEEDS_MAX` runs, and by one of the checks that its test names: which one meets
 * it first is a matter of what happens next.
 */
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Commit } from "../../daemon/memory-daemon.js";
import { Outbox } from "../../daemon/connection/outbox.js";
import { CoreState } from "../../daemon/dispatch/state.js";
import { Draft } from "../../daemon/store/draft.js";
import { Store } from "../../daemon/store/store.js";
import { Transaction } from "../../daemon/store/transaction.js";
import { executeTreeRequest } from "../../daemon/store/tree-request.js";
import type { Seq } from "../../protocol/identifiers.js";
import type { Message } from "../../protocol/message.js";
import { getOperation, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { runChecked, type CheckedRun } from "../../simulator/checker/checked-run.js";
import type { CheckName } from "../../simulator/checker/violation.js";
import type { Mistakes } from "../../simulator/world/world.js";
import { seed } from "../support/seed.js";
import { problemsOf } from "./seeds.js";
import { mistakenListener, type WireMistake } from "../support/wire-mistakes.js";

const SEEDS_MAX = 20;
const VMS = 2;

/** Mistakes in functions, which no spy reaches: the mocks below look here. */
const mistake = vi.hoisted(() => ({ current: "" }));

vi.mock(import("../../daemon/store/permission.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    withoutEntriesFor: (domid, perms) =>
      mistake.current === "a domain's entries stay when it is gone" ? perms : original.withoutEntriesFor(domid, perms),
    accessOf: (...parameters) => (mistake.current === "perms are ignored" ? 7 : original.accessOf(...parameters)),
  };
});

vi.mock(import("../../daemon/store/quota-limit.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    exceedsQuota: (...parameters) => mistake.current !== "quotas are ignored" && original.exceedsQuota(...parameters),
  };
});

vi.mock(import("../../daemon/watch/delivery.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    deliveriesOf: (table, events, transition, requesterOf) => {
      const everybody: typeof requesterOf =
        mistake.current === "events reach those who may not see the node"
          ? () => ({ domid: 0, target: undefined }) as ReturnType<typeof requesterOf>
          : requesterOf;
      return original.deliveriesOf(table, events, transition, everybody);
    },
  };
});

afterEach(() => {
  mistake.current = "";
});

const isEvent = (message: Message | undefined): message is Message => message?.type === WATCH_EVENT;
const nameOf = (message: Message): OperationName | undefined => getOperation(message.type)?.name;

/** Changes replies of one operation. */
function replies(
  operation: OperationName,
  change: (message: Message, request: Message | undefined) => Message,
): WireMistake {
  return {
    output: (messages, { requests }) =>
      messages.map((message) =>
        nameOf(message) === operation ? change(message, requests.get(message.requestId)) : message,
      ),
  };
}

/** Swaps neighbours of which this holds. */
function swaps(isOccasion: (first: Message, second: Message) => boolean): WireMistake {
  return {
    output: (messages) => {
      const swapped = [...messages];
      for (let index = 0; index + 1 < swapped.length; index++) {
        const [first, second] = swapped.slice(index, index + 2);
        if (first === undefined || second === undefined || !isOccasion(first, second)) continue;
        swapped.splice(index, 2, second, first);
        index++;
      }
      return swapped;
    },
  };
}

/** Counts up; true each time that `every` of them are full. */
function eachOf(every: number): () => boolean {
  let count = 0;
  return () => ++count % every === 0;
}

/** A mistake, made anew for each run. */
interface Case {
  readonly what: string;
  readonly foundBy: readonly CheckName[];
  /** On the wire. */
  readonly wire?: () => WireMistake;
  /** In the commits that are handed over. */
  readonly commits?: () => NonNullable<Mistakes["commits"]>;
  /** In the daemon's modules, put right again by the end of the test. */
  readonly inDaemon?: () => void;
}

function staleReads(): WireMistake {
  const known = new Map<string, string>();
  return replies("READ", (message, request) => {
    if (request === undefined || message.txId !== 0) return message;
    const value = known.get(request.payload) ?? message.payload;
    known.set(request.payload, value);
    return { ...message, payload: value };
  });
}

/** Changes one commit that has changes, at the first occasion. */
function once(
  change: (commit: Commit) => readonly Commit[],
  fits: (commit: Commit) => boolean,
): NonNullable<Mistakes["commits"]> {
  let isDone = false;
  return (commits) =>
    commits.flatMap((commit) => {
      if (isDone || !fits(commit)) return [commit];
      isDone = true;
      return change(commit);
    });
}

/** Ends of transactions, as they are and as a mistake makes them. */
function mistakeEnds(
  change: (
    transaction: Transaction,
    end: ReturnType<Transaction["end"]>,
    parameters: Parameters<Transaction["end"]>,
  ) => ReturnType<Transaction["end"]>,
): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the transaction below
  const original = Transaction.prototype.end;
  vi.spyOn(Transaction.prototype, "end").mockImplementation(function (this: Transaction, ...parameters) {
    return change(this, original.apply(this, parameters), parameters);
  });
}

const CONFLICT = {
  outcome: "conflict",
  request: { operation: "READ", path: "/" },
  was: { kind: "done" },
  is: { kind: "done" },
} as ReturnType<Transaction["end"]>;

/** Reads within transactions see the state of now instead of that of the start. */
function mistakeSnapshots(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the transaction below
  const original = Transaction.prototype.execute;
  const commits = vi.spyOn(Store.prototype, "commit");
  vi.spyOn(Transaction.prototype, "execute").mockImplementation(function (this: Transaction, request, requester) {
    const reply = original.call(this, request, requester);
    const store = commits.mock.contexts.at(-1) as Store | undefined;
    if (store === undefined || request.operation !== "READ") return reply;
    return executeTreeRequest(new Draft(store.root, 0 as Seq), request, { requester, nodesOwned: 0 });
  });
}

const CASES: readonly Case[] = [
  {
    what: "a value is altered",
    foundBy: ["reply"],
    wire: () => replies("READ", (message) => ({ ...message, payload: `${message.payload}0` })),
  },
  { what: "a read outside a transaction is stale", foundBy: ["reply"], wire: staleReads },
  { what: "reads in a transaction do not come from its snapshot", foundBy: ["reply"], inDaemon: mistakeSnapshots },
  {
    what: "DIRECTORY lacks a child",
    foundBy: ["reply"],
    wire: () =>
      replies("DIRECTORY", (message) => ({
        ...message,
        payload: message.payload.slice(0, message.payload.lastIndexOf("\0", message.payload.length - 2) + 1),
      })),
  },
  {
    what: "a reply names another transaction",
    foundBy: ["order", "reply"],
    wire: () => replies("WRITE", (message) => ({ ...message, txId: message.txId + 1 })),
  },
  {
    what: "a reply is lost",
    foundBy: ["order", "completeness"],
    wire: () => {
      const isTurn = eachOf(100);
      return { output: (messages) => messages.filter((message) => isEvent(message) || !isTurn()) };
    },
  },
  {
    what: "a transaction whose replies have changed is applied: an update is lost",
    foundBy: ["chain", "reply"],
    inDaemon: () => {
      mistakeEnds((transaction, end, [current, , context]) =>
        end.outcome === "conflict" ? transaction.end.call(transaction, current, transaction.baseSeq, context) : end,
      );
    },
  },
  {
    what: "a transaction conflicts with whatever was committed meanwhile",
    foundBy: ["chain", "reply", "acknowledgement"],
    inDaemon: () => {
      mistakeEnds((transaction, end, [, currentSeq]) =>
        end.outcome === "applied" && currentSeq !== transaction.baseSeq ? CONFLICT : end,
      );
    },
  },
  {
    what: "a transaction that only reads conflicts",
    foundBy: ["reply", "chain"],
    inDaemon: () => {
      mistakeEnds((transaction, end, [, currentSeq]) =>
        end.outcome === "unchanged" && currentSeq !== transaction.baseSeq ? CONFLICT : end,
      );
    },
  },
  {
    what: "an aborted transaction is applied",
    foundBy: ["chain", "reply"],
    wire: () => ({
      input: (message) =>
        nameOf(message) === "TRANSACTION_END" && message.payload === "F\0" ? { ...message, payload: "T\0" } : message,
    }),
  },
  {
    what: "an aborted transaction tells a watch",
    foundBy: ["event", "order"],
    wire: () => ({
      output: (messages, { requests }) =>
        messages.flatMap((message) => {
          const isAborted = nameOf(message) === "TRANSACTION_END" && requests.get(message.requestId)?.payload === "F\0";
          return isAborted
            ? [message, { type: WATCH_EVENT, requestId: 0, txId: 0, payload: "/visitor/a\0token 1\0" }]
            : [message];
        }),
    }),
  },
  {
    what: "an event is lost",
    foundBy: ["order", "event", "completeness"],
    inDaemon: () => {
      const isTurn = eachOf(50);
      // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the outbox below
      const original = Outbox.prototype.addEvent;
      vi.spyOn(Outbox.prototype, "addEvent").mockImplementation(function (this: Outbox, ...parameters) {
        return !isTurn() && original.apply(this, parameters);
      });
    },
  },
  {
    what: "an event comes twice",
    foundBy: ["event", "order"],
    wire: () => ({ output: (messages) => messages.flatMap((each) => (isEvent(each) ? [each, each] : [each])) }),
  },
  {
    what: "two events are swapped",
    foundBy: ["order", "event"],
    wire: () => swaps((first, second) => isEvent(first) && isEvent(second) && first.payload !== second.payload),
  },
  {
    what: "an event precedes the reply that it belongs to",
    foundBy: ["order"],
    wire: () => swaps((first, second) => !isEvent(first) && isEvent(second)),
  },
  {
    what: "a watch that was removed goes on telling",
    foundBy: ["event", "order"],
    inDaemon: () => {
      vi.spyOn(CoreState.prototype, "removeWatch").mockImplementation((connection, watch) => {
        connection.watches.delete(`${watch.path}\0${watch.token}`);
      });
    },
  },
  {
    what: "events reach those who may not see the node",
    foundBy: ["event", "order"],
  },
  { what: "a domain's entries stay when it is gone", foundBy: ["chain"] },
  { what: "perms are ignored", foundBy: ["reply", "chain", "event", "order"] },
  { what: "quotas are ignored", foundBy: ["reply", "chain"] },
  {
    what: "a commit tells a wrong before",
    foundBy: ["chain"],
    commits: () =>
      once(
        (commit) => [
          {
            ...commit,
            changes: commit.changes.map((each) =>
              each.kind === "node" && each.before !== undefined
                ? { ...each, before: { ...each.before, value: `${each.before.value}0` } }
                : each,
            ),
          },
        ],
        ({ changes }) => changes.some((each) => each.kind === "node" && each.before !== undefined),
      ),
  },
  {
    what: "a commit tells children before parents",
    foundBy: ["chain"],
    commits: () =>
      once(
        (commit) => [{ ...commit, changes: commit.changes.toReversed() }],
        ({ changes }) => changes.filter((each) => each.kind === "node" && each.before === undefined).length > 2,
      ),
  },
  {
    what: "a seq is left out",
    foundBy: ["chain", "acknowledgement"],
    commits: () =>
      once(
        () => [],
        ({ seq }) => seq > 20,
      ),
  },
  {
    what: "a commit names another domain",
    foundBy: ["chain"],
    commits: () =>
      once(
        (commit) => [{ ...commit, origin: { ...commit.origin, domid: 7 as Commit["origin"]["domid"] } }],
        ({ origin }) => origin.domid !== 0,
      ),
  },
  {
    what: "a commit names another base",
    foundBy: ["chain"],
    commits: () =>
      once(
        (commit) => [{ ...commit, base: (commit.base - 1) as Seq }],
        ({ origin }) => origin.transaction !== undefined,
      ),
  },
  {
    what: "a reply leaves before its commit is handed over",
    foundBy: ["acknowledgement"],
    commits: () => {
      let late: readonly Commit[] = [];
      return (commits) => {
        const now = late;
        late = commits;
        return now;
      };
    },
  },
  {
    what: "the last commit is never handed over",
    foundBy: ["acknowledgement", "chain", "completeness"],
    commits: () =>
      once(
        () => [],
        ({ requests }) => requests.some(({ subject }) => subject === "domain destroy 2"),
      ),
  },
];

function describeRun(run: CheckedRun): string {
  return problemsOf(run).join("\n");
}

describe("Checker", () => {
  test("finds nothing in runs without a mistake", async () => {
    const run = await runChecked({ seed: seed(), vms: VMS });
    expect(describeRun(run)).toBe("");
    expect(run.counts.commits).toBeGreaterThan(100);
    expect(run.counts.events).toBeGreaterThan(200);
    expect(run.counts.replies).toBeGreaterThan(1000);
    expect(run.counts.requests).toBeGreaterThanOrEqual(run.counts.replies);
  });

  test.each(CASES)("finds that $what", async ({ what, foundBy, wire, commits, inDaemon }) => {
    mistake.current = what;
    inDaemon?.();
    let found: CheckedRun | undefined;
    for (let run = 0; run < SEEDS_MAX && found?.violation === undefined; run++) {
      const made = wire?.();
      const mistakes: Mistakes = {
        ...(made === undefined ? {} : { listener: (listener) => mistakenListener(listener, made) }),
        ...(commits === undefined ? {} : { commits: commits() }),
      };
      found = await runChecked({ seed: seed() + run, vms: VMS, mistakes });
    }
    expect(found?.violation, "nothing was found").toBeDefined();
    expect(foundBy, found === undefined ? "" : describeRun(found)).toContain(found?.violation?.check);
  });
});

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
import type { Call } from "../../daemon/dispatch/call.js";
import { Draft } from "../../daemon/store/draft.js";
import { NO_RECORD, type DomainRecord } from "../../daemon/store/root.js";
import { Store } from "../../daemon/store/store.js";
import { Transaction } from "../../daemon/store/transaction.js";
import { executeTreeRequest } from "../../daemon/store/tree-request.js";
import type { Seq } from "../../protocol/identifiers.js";
import type { Message } from "../../protocol/message.js";
import { ERROR, getOperation, WATCH_EVENT, type OperationName } from "../../protocol/operation.js";
import { runChecked, type CheckedRun } from "../../simulator/checker/checked-run.js";
import type { CheckName } from "../../simulator/checker/violation.js";
import type { Mistakes } from "../../simulator/world/world.js";
import { seed } from "../support/seed.js";
import { problemsOf } from "./seeds.js";
import { mistakenListener, type WireMistake } from "../support/wire-mistakes.js";

const SEEDS_MAX = 20;
const VMS = 2;

const { ignoredQuota, exceededQuota } = vi.hoisted(() => ({
  ignoredQuota: (name: string): string => `the quota of ${name} is ignored`,
  exceededQuota: (name: string): string => `one more than the quota of ${name} is allowed`,
}));

/** Mistakes in functions, which no spy reaches: the mocks below look here. */
const mistake = vi.hoisted(() => ({ current: "", isInForgetfulHandler: false }));

vi.mock(import("../../daemon/store/permission.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    withoutEntriesFor: (domid, perms) =>
      mistake.current === "a domain's entries stay when it is gone" ? perms : original.withoutEntriesFor(domid, perms),
    accessOf: (...parameters) => (mistake.current === "perms are ignored" ? 7 : original.accessOf(...parameters)),
    requesterFor: (root, domid) =>
      mistake.current === "a target gives no rights"
        ? { domid, target: undefined }
        : original.requesterFor(root, domid),
    inheritedPerms: (requester, parent) =>
      mistake.current === "a new node has its parent's owner" ? parent : original.inheritedPerms(requester, parent),
  };
});

vi.mock(import("../../daemon/store/quota-limit.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    exceedsQuota: (root, domid, name, used) => {
      if (mistake.current === "quotas are ignored" || mistake.current === ignoredQuota(name)) return false;
      return original.exceedsQuota(root, domid, name, mistake.current === exceededQuota(name) ? used - 1 : used);
    },
  };
});

/** Lets a handler forget what `resetConnection` is to do. */
const forgetfulIf = vi.hoisted(
  () =>
    <Handler extends (call: Call) => unknown>(what: string, handler: Handler): Handler =>
      ((call: Call) => {
        mistake.isInForgetfulHandler = mistake.current === what;
        try {
          return handler(call);
        } finally {
          mistake.isInForgetfulHandler = false;
        }
      }) as Handler,
);

vi.mock(import("../../daemon/dispatch/domain-handlers.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    handleIntroduce: forgetfulIf("a repeated INTRODUCE leaves the guest its watches", original.handleIntroduce),
  };
});

vi.mock(import("../../daemon/dispatch/watch-handlers.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    handleResetWatches: forgetfulIf("RESET_WATCHES does nothing", original.handleResetWatches),
  };
});

vi.mock(import("../../daemon/dispatch/transaction-handlers.js"), async (importOriginal) => {
  const original = await importOriginal();
  return {
    ...original,
    handleTransactionStart: (call) =>
      original.handleTransactionStart(
        mistake.current === "a transaction starts within another" ? { ...call, transaction: undefined } : call,
      ),
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

/** Gives another answer to those requests of one operation that get this error. */
function errors(operation: OperationName, error: string, payload: (request: Message) => string): WireMistake {
  return {
    output: (messages, { requests }) =>
      messages.map((message) => {
        const request = requests.get(message.requestId);
        const isOccasion = message.type === ERROR && message.payload === `${error}\0` && request !== undefined;
        if (!isOccasion || nameOf(request) !== operation) return message;
        return { ...message, type: request.type, payload: payload(request) };
      }),
  };
}

/** Domain records are not changed where that is so. */
function mistakeRecords(isForgotten: (before: DomainRecord, after: DomainRecord) => boolean): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the draft below
  const original = Draft.prototype.setDomain;
  vi.spyOn(Draft.prototype, "setDomain").mockImplementation(function (this: Draft, domid, record) {
    if (isForgotten(this.root.domains.get(domid) ?? NO_RECORD, record)) return;
    original.call(this, domid, record);
  });
}

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

/** `resetConnection` does nothing for the handlers that are forgetful. */
function mistakeResets(): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the state below
  const original = CoreState.prototype.resetConnection;
  vi.spyOn(CoreState.prototype, "resetConnection").mockImplementation(function (this: CoreState, connection) {
    if (!mistake.isInForgetfulHandler) original.call(this, connection);
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

/**
 * The checks that find a daemon that does what it should not, or does not what it should. A commit that it does not make is
 * noticed at the latest when somebody is told of what happened after it.
 */
const BY_WHAT_IS_DONE: readonly CheckName[] = ["reply", "chain", "acknowledgement", "event", "order"];

/** Quotas that visitors meet. */
const QUOTAS = ["nodes", "watches", "transactions", "transaction-nodes", "node-size", "permissions"] as const;

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
        return isTurn() ? "dropped" : original.apply(this, parameters);
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
  { what: "perms are ignored", foundBy: BY_WHAT_IS_DONE },
  { what: "quotas are ignored", foundBy: BY_WHAT_IS_DONE },
  ...QUOTAS.flatMap((name): Case[] => [
    { what: ignoredQuota(name), foundBy: BY_WHAT_IS_DONE },
    { what: exceededQuota(name), foundBy: BY_WHAT_IS_DONE },
  ]),
  {
    what: "a transaction that met a quota ends well",
    foundBy: ["reply"],
    inDaemon: () => {
      mistakeEnds((_, end) => (end.outcome === "refused" ? { outcome: "unchanged" } : end));
    },
  },
  // Who may no longer see a node is not told of it either, which may be all that there is to notice: an event that never comes.
  { what: "a target gives no rights", foundBy: [...BY_WHAT_IS_DONE, "completeness"] },
  {
    what: "a target stays when it is gone",
    foundBy: ["chain"],
    inDaemon: () => {
      mistakeRecords(({ target }, after) => target !== undefined && after.target === undefined && after !== NO_RECORD);
    },
  },
  { what: "a new node has its parent's owner", foundBy: BY_WHAT_IS_DONE },
  {
    what: "SET_FEATURE is fine after INTRODUCE",
    foundBy: ["reply"],
    wire: () => errors("SET_FEATURE", "EBUSY", () => "OK\0"),
  },
  {
    what: "RESUME does not make the next shutdown news",
    foundBy: BY_WHAT_IS_DONE,
    inDaemon: () => {
      mistakeRecords((before, after) => before.shutdown && !after.shutdown && after !== NO_RECORD);
    },
  },
  {
    what: "a shutdown is news each time",
    foundBy: BY_WHAT_IS_DONE,
    inDaemon: () => {
      mistakeRecords((before, after) => !before.shutdown && after.shutdown);
    },
  },
  {
    what: "a watch reaches one level deeper than its depth",
    foundBy: ["event", "order"],
    wire: () => ({
      input: (message) =>
        nameOf(message) === "WATCH"
          ? {
              ...message,
              payload: message.payload.replace(/([0-9])\0$/, (_, depth) => `${String(Number(depth) + 1)}\0`),
            }
          : message,
    }),
  },
  {
    what: "a repeated INTRODUCE leaves the guest its watches",
    foundBy: ["event", "order", "reply"],
    inDaemon: mistakeResets,
  },
  { what: "RESET_WATCHES does nothing", foundBy: ["event", "order", "reply"], inDaemon: mistakeResets },
  { what: "a transaction starts within another", foundBy: ["reply"] },
  {
    what: "DIRECTORY_PART tells a generation that never changes",
    foundBy: ["reply"],
    wire: () =>
      replies("DIRECTORY_PART", (message) => ({ ...message, payload: message.payload.replace(/^[0-9]+/, "1") })),
  },
  {
    what: "DIRECTORY_PART tells a generation that changes with anything",
    foundBy: ["reply"],
    wire: () => {
      let generation = 0;
      return replies("DIRECTORY_PART", (message) => ({
        ...message,
        payload: message.payload.replace(/^[0-9]+/, () => String(++generation)),
      }));
    },
  },
  {
    what: "DIRECTORY answers a list that is too long with no names",
    foundBy: ["reply"],
    wire: () => errors("DIRECTORY", "E2BIG", () => ""),
  },
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

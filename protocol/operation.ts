/**
 * The operation table: one row for each message type of the wire header.
 *
 * Owns number, name, payload shape, privilege, and how an operation relates to transactions. Dispatch, metrics labels,
 * the client library, fuzzers and documentation derive from it; a new operation starts here.
 * Source: xenstore.txt, "Defined Xenstore message types"; `io/xs_wire.h`.
 */

/** How an operation relates to the transaction named in its header. */
export type TransactionRule =
  /** Runs on the transaction's snapshot and is replayed at its end. */
  | "joins"
  /** Acts at once on the live state, whatever the tx_id, which must exist when it is not 0. */
  | "immediate"
  /** Does not look at the tx_id at all (xenstore.txt: "The tx_id in a WATCH request is ignored"). */
  | "ignored"
  /** TRANSACTION_START: the tx_id must be 0. */
  | "starts"
  /** TRANSACTION_END: the tx_id must not be 0. */
  | "ends";

/** A row of the operation table. */
export interface Operation {
  /** The `type` field of the header. */
  readonly number: number;
  /** The name without its `XS_` prefix. */
  readonly name: string;
  /** The request's payload in xenstore.txt's notation: `|` is a NUL, `<x|>` binary data, `?` reserved. */
  readonly request: string;
  /** The reply's payload in the same notation. */
  readonly reply: string;
  /** Who may ask: any domain, or dom0 alone (others get EACCES before anything else is looked at). */
  readonly privilege: "any" | "dom0";
  readonly transaction: TransactionRule;
  /** Whether a successful request can change the store, and so make a commit. */
  readonly mutates: boolean;
}

const OK = "OK|";

/** Every operation that a client may send, in the order of their numbers. */
// One row per line, so that it reads as a table.
// prettier-ignore
export const OPERATIONS = [
  { number: 0, name: "CONTROL", request: "<command>|<parameter>|*", reply: "<text>|", privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 1, name: "DIRECTORY", request: "<path>|", reply: "<child-leaf-name>|*", privilege: "any", transaction: "joins", mutates: false },
  { number: 2, name: "READ", request: "<path>|", reply: "<value|>", privilege: "any", transaction: "joins", mutates: false },
  { number: 3, name: "GET_PERMS", request: "<path>|", reply: "<perm-as-string>|+", privilege: "any", transaction: "joins", mutates: false },
  { number: 4, name: "WATCH", request: "<wpath>|<token>|[<depth>|]?", reply: OK, privilege: "any", transaction: "ignored", mutates: false },
  { number: 5, name: "UNWATCH", request: "<wpath>|<token>|?", reply: OK, privilege: "any", transaction: "ignored", mutates: false },
  { number: 6, name: "TRANSACTION_START", request: "|", reply: "<transid>|", privilege: "any", transaction: "starts", mutates: false },
  { number: 7, name: "TRANSACTION_END", request: "T|F|", reply: OK, privilege: "any", transaction: "ends", mutates: true },
  { number: 8, name: "INTRODUCE", request: "<domid>|<gfn>|<evtchn>|?", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 9, name: "RELEASE", request: "<domid>|", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 10, name: "GET_DOMAIN_PATH", request: "<domid>|", reply: "<path>|", privilege: "any", transaction: "immediate", mutates: false },
  { number: 11, name: "WRITE", request: "<path>|<value|>", reply: OK, privilege: "any", transaction: "joins", mutates: true },
  { number: 12, name: "MKDIR", request: "<path>|", reply: OK, privilege: "any", transaction: "joins", mutates: true },
  { number: 13, name: "RM", request: "<path>|", reply: OK, privilege: "any", transaction: "joins", mutates: true },
  { number: 14, name: "SET_PERMS", request: "<path>|<perm-as-string>|+", reply: OK, privilege: "any", transaction: "joins", mutates: true },
  { number: 17, name: "IS_DOMAIN_INTRODUCED", request: "<domid>|", reply: "T|F|", privilege: "dom0", transaction: "immediate", mutates: false },
  { number: 18, name: "RESUME", request: "<domid>|", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 19, name: "SET_TARGET", request: "<domid>|<tdomid>|", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 21, name: "RESET_WATCHES", request: "|", reply: OK, privilege: "any", transaction: "immediate", mutates: false },
  { number: 22, name: "DIRECTORY_PART", request: "<path>|<offset>|", reply: "<gencnt>|<child-leaf-name>|*", privilege: "any", transaction: "joins", mutates: false },
  { number: 23, name: "GET_FEATURE", request: "[<domid>|]", reply: "<value>|", privilege: "any", transaction: "immediate", mutates: false },
  { number: 24, name: "SET_FEATURE", request: "<domid>|<value>|", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
  { number: 25, name: "GET_QUOTA", request: "[[<domid>|]<quota>|]", reply: "<value>|", privilege: "dom0", transaction: "immediate", mutates: false },
  { number: 26, name: "SET_QUOTA", request: "[<domid>|]<quota>|<value>|", reply: OK, privilege: "dom0", transaction: "immediate", mutates: true },
] as const satisfies readonly Operation[];

/** The name of an operation that a client may send. */
export type OperationName = (typeof OPERATIONS)[number]["name"];

/** The name of an operation that runs inside transactions: the requests on the tree itself. */
export type TreeOperationName = Extract<(typeof OPERATIONS)[number], { transaction: "joins" }>["name"];

/** Message type of an event, which only the daemon sends. */
export const WATCH_EVENT = 15;

/** Message type of an error reply, which only the daemon sends. */
export const ERROR = 16;

/** An operation whose name is known to be in the table. */
export type TableOperation = Operation & { readonly name: OperationName };

const byNumber: (TableOperation | undefined)[] = [];
const byName = new Map<string, TableOperation>();
for (const operation of OPERATIONS) {
  byNumber[operation.number] = operation;
  byName.set(operation.name, operation);
}

/** The operation with this `type` number, or undefined for one that is unknown, invalid, or only sent by the daemon. */
export function getOperation(number: number): TableOperation | undefined {
  return byNumber[number];
}

/** The row of an operation by its name. */
export function operationNamed(name: OperationName): TableOperation {
  const operation = byName.get(name);
  if (operation === undefined) throw new Error(`no operation ${name} in the table`);
  return operation;
}

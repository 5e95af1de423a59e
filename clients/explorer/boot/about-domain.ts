/**
 * What is about one domain.
 *
 * Owns which paths and requests these are: the domain's own nodes, the ends that backends keep for it, what the toolstack keeps of it, and
 * what is said of its number. A transaction is about a domain as a whole, as soon as one of its requests is.
 */
import type { ActivityCommit } from "../../../protocol/http-api/activity.js";
import type { Course, Happening, Transaction } from "./happenings.js";
import { isAboutPath } from "./told-request.js";

/** Tells what is about a domain. */
export interface AboutDomain {
  readonly domain: number;
  /** Of its machine, as far as it is known; more than one where the number was used again. */
  readonly uuids: readonly string[];
  path(path: string): boolean;
  happening(happening: Pick<Happening, "operation" | "subject" | "domain">): boolean;
}

const VM_VALUE = /^\/vm\/([^/]+)$/;
const BACKEND = /^\/local\/domain\/\d+\/backend\/[^/]+\/(\d+)(?:\/|$)/;
const OWN = /^\/(?:local\/domain|libxl)\/(\d+)(?:\/|$)/;
const VM = /^\/vm\/([^/]+)(?:\/|$)/;

/** Tells what is about a domain, whose machine's uuid is looked for in the commits. */
export function aboutDomain(domain: number, commits: readonly ActivityCommit[]): AboutDomain {
  const uuids = new Set<string>();
  const node = `/local/domain/${String(domain)}/vm`;
  for (const { changes } of commits) {
    for (const { path, before = "", after = "" } of changes) {
      if (path !== node) continue;
      for (const value of [before, after]) {
        const [, uuid] = VM_VALUE.exec(value) ?? [];
        if (uuid !== undefined) uuids.add(uuid);
      }
    }
  }
  const isAbout = (path: string): boolean =>
    domainOfPath(path) === domain || (path.startsWith("/vm/") && uuids.has(VM.exec(path)?.[1] ?? ""));
  return {
    domain,
    uuids: [...uuids],
    path: isAbout,
    happening: ({ operation, subject, domain: asking }) => {
      if (asking === domain && domain !== 0) return true;
      return operation === "WATCH_EVENT" || isAboutPath(operation) ? isAbout(subject) : subject === String(domain);
    },
  };
}

/** The domain whose node it is, or for which a backend keeps it; undefined for none. */
export function domainOfPath(path: string): number | undefined {
  const digits = BACKEND.exec(path)?.[1] ?? OWN.exec(path)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** The domains that did something, or that something was done to. */
export function domainsOf(course: Course): ReadonlySet<number> {
  const domains = new Set<number>();
  for (const { domain, subject, operation } of course.happenings) {
    domains.add(domain);
    const about = operation === "INTRODUCE" ? Number(subject) : domainOfPath(subject);
    if (about !== undefined) domains.add(about);
  }
  return domains;
}

/** The part of a course that is about a domain. */
export function courseAbout({ happenings, transactions, gaps }: Course, about: AboutDomain): Course {
  const touching = new TouchingTransactions(transactions);
  for (const happening of happenings) {
    if (happening.tx !== undefined && about.happening(happening)) touching.add(happening);
  }
  const isTouching = (transaction: Transaction | undefined): boolean =>
    transaction !== undefined && (touching.has(transaction) || transaction.domain === about.domain);
  return {
    happenings: happenings.filter(
      (happening) => about.happening(happening) || isTouching(touching.transactionOf(happening)),
    ),
    transactions: transactions.filter(
      (transaction) => isTouching(transaction) || about.path(transaction.conflict?.path ?? ""),
    ),
    gaps,
  };
}

/** The transactions that have a request about something. */
class TouchingTransactions {
  /** Ids come again on a connection: the transactions of one id, by their begin. */
  readonly #byId = new Map<string, Transaction[]>();
  readonly #touching = new Set<Transaction>();

  constructor(transactions: readonly Transaction[]) {
    for (const transaction of transactions) {
      const key = `${transaction.connection} ${String(transaction.id)}`;
      const same = this.#byId.get(key);
      if (same === undefined) this.#byId.set(key, [transaction]);
      else same.push(transaction);
    }
  }

  add(happening: Happening): void {
    const transaction = this.transactionOf(happening);
    if (transaction !== undefined) this.#touching.add(transaction);
  }

  has(transaction: Transaction): boolean {
    return this.#touching.has(transaction);
  }

  transactionOf({ connection, tx, time }: Happening): Transaction | undefined {
    if (tx === undefined) return undefined;
    const same = this.#byId.get(`${connection} ${String(tx)}`) ?? [];
    return same.find(({ start, end = Infinity }) => start <= time && time <= end);
  }
}

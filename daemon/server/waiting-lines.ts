/**
 * The waiting lines: in which order sessions with messages waiting get their turn.
 *
 * Owns the order alone; how much a turn is, and whether there is room for one, the server says. A turn takes the heads of
 * the lines in rounds, so where there is room for some only, those are who comes first here. Worked example: dom0 has the
 * sessions a and b waiting, domain 5 has c, d and e, domain 6 has f, and dom0 was served last: c a f b d e.
 *
 * Invariants:
 * 1. Each domain has one line. Who was served goes to its end, and his domain behind the other guests' domains: between two
 *    turns of one of them each of the others that waits has one, however many connections there are of each.
 * 2. dom0 and the guests take turns: before dom0 at most one session of a guest is served, however many wait, and before
 *    the guests at most one of dom0.
 * 3. Nothing is kept of who does not wait.
 */
import { DOM0, type Domid } from "../../protocol/identifiers.js";

/** Who may wait: of each domain any number. */
export interface Waiting {
  readonly connection: { readonly domid: Domid };
}

/** The sessions that wait. */
export class WaitingLines<Session extends Waiting> implements Iterable<Session> {
  /** No line is empty. The guests' stand in the order of their turns. */
  readonly #lines = new Map<Domid, Set<Session>>();
  #isGuestNext = false;

  get isEmpty(): boolean {
    return this.#lines.size === 0;
  }

  has(session: Session): boolean {
    return this.#lines.get(session.connection.domid)?.has(session) === true;
  }

  /** Whether somebody of a domain waits. */
  hasDomain(domid: Domid): boolean {
    return this.#lines.has(domid);
  }

  /** Puts a session at the end of its domain's line; one that waits keeps its place. */
  add(session: Session): void {
    const { domid } = session.connection;
    const line = this.#lines.get(domid);
    if (line === undefined) this.#lines.set(domid, new Set([session]));
    else line.add(session);
  }

  /** Puts a session at the head of its domain's line; takes as long as that line. */
  addFirst(session: Session): void {
    const { domid } = session.connection;
    this.#lines.set(domid, new Set([session, ...(this.#lines.get(domid) ?? [])]));
  }

  delete(session: Session): void {
    const { domid } = session.connection;
    const line = this.#lines.get(domid);
    if (line?.delete(session) === true && line.size === 0) this.#lines.delete(domid);
  }

  /** Takes a session that had a turn, in its line or before it was in one, out of the line: who waits still is added again. */
  served(session: Session): void {
    const { domid } = session.connection;
    this.delete(session);
    this.#isGuestNext = domid === DOM0;
    const line = this.#lines.get(domid);
    if (line === undefined) return;
    this.#lines.delete(domid);
    this.#lines.set(domid, line);
  }

  /** Who is the first of `inTurn`, for the price of that one. */
  get first(): Session | undefined {
    const dom0 = this.#lines.get(DOM0);
    if (dom0 !== undefined && !(this.#isGuestNext && this.#lines.size > 1)) return headOf(dom0);
    for (const line of this.#lines.values()) if (line !== dom0) return headOf(line);
    return undefined;
  }

  /** Those who wait at this moment, in the order of their turns. */
  inTurn(): Session[] {
    if (this.isEmpty) return [];
    const dom0 = [...(this.#lines.get(DOM0) ?? [])];
    const guests = this.#guestsInRounds();
    const [first, second] = this.#isGuestNext ? [guests, dom0] : [dom0, guests];
    const order: Session[] = [];
    for (let index = 0; index < Math.max(first.length, second.length); index++) {
      for (const session of [first[index], second[index]]) if (session !== undefined) order.push(session);
    }
    return order;
  }

  /** In no order that means anything. */
  *[Symbol.iterator](): Iterator<Session> {
    for (const line of this.#lines.values()) yield* line;
  }

  /** The head of each guest's line, then the next of each, and so on. */
  #guestsInRounds(): Session[] {
    const order: Session[] = [];
    let heads = [...this.#lines].filter(([domid]) => domid !== DOM0).map(([, line]) => line.values());
    while (heads.length > 0) {
      heads = heads.filter((head) => {
        const next = head.next();
        if (next.done === true) return false;
        order.push(next.value);
        return true;
      });
    }
    return order;
  }
}

/** The head of a line, which is not empty. */
function headOf<Session>(line: ReadonlySet<Session>): Session | undefined {
  for (const session of line) return session;
  return undefined;
}

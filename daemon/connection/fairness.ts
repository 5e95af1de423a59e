/**
 * Conflict fairness: a guest that keeps making others' transactions fail is slowed (XSA-206).
 *
 * Owns a credit per domain. Each time a commit of a guest makes somebody else's transaction end in EAGAIN, the guest
 * loses a point; it regains one every `REGAIN_MICROSECONDS` up to `CREDIT_MAX`. Without a point nothing of it is
 * dispatched. So a transaction of dom0 that a guest disturbs at every try goes through once the guest's credit is gone: at
 * the sixth try, if tries are quicker than points are regained. dom0 is exempt. The idea is oxenstored's.
 */
import type { Domid } from "../../protocol/identifiers.js";

/** Points of a domain that disturbs nobody. */
export const CREDIT_MAX = 5;

/** Time after which a point is regained. */
export const REGAIN_MICROSECONDS = 50_000;

interface Credit {
  readonly points: number;
  /** When `points` was right; later ones are reckoned from here. */
  readonly since: number;
}

/** The credit of each domain that lacks a point. */
export class Fairness {
  readonly #credits = new Map<Domid, Credit>();

  /** Takes a point from a guest; returns the inverse. */
  charge(domid: Domid, nowMicroseconds: number): () => void {
    if (domid === 0) return () => undefined;
    const old = this.#credits.get(domid);
    const { points, since } = this.#creditOf(domid, nowMicroseconds);
    this.#credits.set(domid, { points: Math.max(0, points - 1), since });
    return () => {
      if (old === undefined) this.#credits.delete(domid);
      else this.#credits.set(domid, old);
    };
  }

  /** How long nothing of this domain should be dispatched; 0 when it has credit. */
  holdMicroseconds(domid: Domid, nowMicroseconds: number): number {
    if (!this.#credits.has(domid)) return 0;
    const { points, since } = this.#creditOf(domid, nowMicroseconds);
    if (points > 0) return 0;
    return Math.max(1, since + REGAIN_MICROSECONDS - nowMicroseconds);
  }

  /** Forgets a domain that is gone; returns the inverse. */
  forget(domid: Domid): () => void {
    const old = this.#credits.get(domid);
    this.#credits.delete(domid);
    return () => {
      if (old !== undefined) this.#credits.set(domid, old);
    };
  }

  /** The credit now, with what was regained; a clock that stepped back gives nothing and takes nothing. */
  #creditOf(domid: Domid, nowMicroseconds: number): Credit {
    const credit = this.#credits.get(domid);
    if (credit === undefined) return { points: CREDIT_MAX, since: nowMicroseconds };
    const elapsed = nowMicroseconds - credit.since;
    if (elapsed < 0) {
      const restarted = { points: credit.points, since: nowMicroseconds };
      this.#credits.set(domid, restarted);
      return restarted;
    }
    const regained = Math.floor(elapsed / REGAIN_MICROSECONDS);
    if (credit.points + regained >= CREDIT_MAX) {
      this.#credits.delete(domid);
      return { points: CREDIT_MAX, since: nowMicroseconds };
    }
    return { points: credit.points + regained, since: credit.since + regained * REGAIN_MICROSECONDS };
  }
}

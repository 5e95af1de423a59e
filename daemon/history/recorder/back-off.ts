/**
 * How long to wait after a failure before trying again: twice as long each time.
 *
 * Owns the arithmetic. It reads no clock and sets no timer.
 */

/** One thing that is tried again. */
export class BackOff {
  /** On the caller's clock, in milliseconds: not to be tried before. The caller may set it for a reason of its own. */
  notBefore = 0;
  readonly #leastMilliseconds: number;
  readonly #mostMilliseconds: number;
  #nextMilliseconds: number;

  constructor(limits: { readonly leastMilliseconds: number; readonly mostMilliseconds: number }) {
    this.#leastMilliseconds = limits.leastMilliseconds;
    this.#mostMilliseconds = limits.mostMilliseconds;
    this.#nextMilliseconds = limits.leastMilliseconds;
  }

  /** It has failed at this moment; returns how long to wait, in milliseconds. */
  failed(now: number): number {
    const milliseconds = this.#nextMilliseconds;
    this.notBefore = now + milliseconds;
    this.#nextMilliseconds = Math.min(2 * milliseconds, this.#mostMilliseconds);
    return milliseconds;
  }

  /** It has worked: the next failure is the first again. */
  worked(): void {
    this.#nextMilliseconds = this.#leastMilliseconds;
  }
}

/**
 * How fast this page asks.
 *
 * Owns the limit: the daemon answers 200 requests a second of one address, and a browser has six connections to one host for all of its
 * tabs. So few requests are under way at a time, and a page asks at most half as often as is answered.
 */

const UNDER_WAY_MAX = 4;
const SPACING_MILLISECONDS = 10;

/** What it needs of its surroundings. */
export interface PacePorts {
  readonly now: () => number;
  readonly delay: (milliseconds: number) => Promise<void>;
}

/** Lets requests through, one after the other, in the order in which they come. */
export class Pace {
  readonly #ports: PacePorts;
  #underWay = 0;
  /** The earliest time for the next one. */
  #next = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(ports: PacePorts) {
    this.#ports = ports;
  }

  /** Does it when it is its turn. */
  async run<T>(act: () => Promise<T>): Promise<T> {
    if (this.#underWay >= UNDER_WAY_MAX) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    } else this.#underWay++;
    try {
      const now = this.#ports.now();
      const at = Math.max(now, this.#next);
      this.#next = at + SPACING_MILLISECONDS;
      if (at > now) await this.#ports.delay(at - now);
      return await act();
    } finally {
      const next = this.#waiting.shift();
      // Its place is the next one's.
      if (next === undefined) this.#underWay--;
      else next();
    }
  }
}

/**
 * Which commits touched which nodes, in the order of the commits: what a run of the path index is built from.
 *
 * Owns the list in memory, and the numbers of its paths. A touch is a change of the node itself, or the removal of the node with
 * all below it.
 */
import type { Path, Seq } from "../../../protocol/identifiers.js";
import { keyCountOf } from "./path-keys.js";

/** Numbers for paths, in the order in which they come. */
export class PathNumbers {
  readonly paths: Path[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #depths: number[] = [];

  /** The number of a path that has one. */
  find(path: Path): number | undefined {
    return this.#numbers.get(path);
  }

  /** Gives a path that has none the next number. @param path - flat: it is kept */
  add(path: Path): number {
    const number = this.paths.length;
    this.#numbers.set(path, number);
    this.paths.push(path);
    this.#depths.push(keyCountOf(path));
    return number;
  }

  /** Under how many keys of a run a touch of this path stands. */
  depth(number: number): number {
    return this.#depths[number] as number;
  }
}

const INITIAL_CAPACITY = 256;

/** Touches by ascending seqs. */
export class TouchList {
  length = 0;
  #seqs = new Float64Array(INITIAL_CAPACITY);
  /** 2 × the path's number + 1 for a removal. */
  #touches = new Int32Array(INITIAL_CAPACITY);

  /** Adds a touch; of a commit that is not older than the last. */
  add(seq: Seq, pathNumber: number, isRemoval: boolean): void {
    if (this.length === this.#seqs.length) {
      const seqs = new Float64Array(2 * this.length);
      seqs.set(this.#seqs);
      this.#seqs = seqs;
      const touches = new Int32Array(2 * this.length);
      touches.set(this.#touches);
      this.#touches = touches;
    }
    this.#seqs[this.length] = seq;
    this.#touches[this.length++] = 2 * pathNumber + (isRemoval ? 1 : 0);
  }

  /** The commit of a touch. */
  seq(index: number): Seq {
    return this.#seqs[index] as Seq;
  }

  /** The number of a touch's path. */
  pathNumber(index: number): number {
    return (this.#touches[index] as number) >>> 1;
  }

  isRemoval(index: number): boolean {
    return ((this.#touches[index] as number) & 1) === 1;
  }

  /** The same touches in the other order. */
  reversed(): TouchList {
    const list = new TouchList();
    for (let index = this.length - 1; index >= 0; index--) {
      list.add(this.seq(index), this.pathNumber(index), this.isRemoval(index));
    }
    return list;
  }
}

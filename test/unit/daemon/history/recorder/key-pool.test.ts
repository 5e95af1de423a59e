/** The pool of names. */
import { describe, expect, it } from "vitest";
import { KeyPool } from "../../../../../daemon/history/recorder/key-pool.js";

describe("KeyPool", () => {
  it("pooled returns equal strings, also when more names come than it keeps", () => {
    const pool = new KeyPool();
    for (let index = 0; index < 40_000; index++) {
      const name = `name-${String(index)}`;
      expect(pool.pooled(name)).toBe(name);
    }
    expect(pool.pooled("__proto__")).toBe("__proto__");
    expect(pool.pooled("name-0")).toBe("name-0");
  });
});

/** Questions that change faster than they are answered: one at a time, the newest next, and none of those between. */
import { describe, expect, it } from "vitest";
import { Latest, type Loaded } from "../../../../clients/explorer/api/latest.js";

/** Loads that are answered by hand. */
function asker(): {
  readonly latest: Latest<string>;
  readonly told: Loaded<string>[];
  readonly asked: string[];
  readonly want: (key: string) => void;
  readonly answer: (outcome: string | Error) => Promise<void>;
  readonly signals: AbortSignal[];
  /** Ends what is waited for before it is asked once more. */
  readonly elapse: () => Promise<void>;
} {
  const told: Loaded<string>[] = [];
  const asked: string[] = [];
  const signals: AbortSignal[] = [];
  let settle: ((outcome: string | Error) => void) | undefined;
  const waits: (() => void)[] = [];
  const latest = new Latest<string>((loaded) => told.push(loaded), {
    mayPass: (error) => error instanceof Error && error.message === "busy",
    wait: () =>
      new Promise((resolve) => {
        waits.push(resolve);
      }),
  });
  const elapse = async (): Promise<void> => {
    for (const end of waits.splice(0)) end();
    await new Promise((resolve) => setImmediate(resolve));
  };
  const want = (key: string): void => {
    latest.want(key, (ended) => {
      asked.push(key);
      signals.push(ended);
      return new Promise((resolve, reject) => {
        settle = (outcome) => {
          if (typeof outcome === "string") resolve(outcome);
          else reject(outcome);
        };
      });
    });
  };
  const answer = async (outcome: string | Error): Promise<void> => {
    settle?.(outcome);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { latest, told, asked, want, answer, signals, elapse };
}

describe("the latest answer", () => {
  it("is asked for one at a time, and what was wanted meanwhile but for the last never", async () => {
    const { told, asked, want, answer } = asker();
    for (const key of ["a", "b", "c", "d"]) want(key);
    expect(asked).toEqual(["a"]);
    await answer("A");
    expect(asked).toEqual(["a", "d"]);
    expect(told.at(-1)).toMatchObject({ answer: "A", key: "a", isLoading: true });
    await answer("D");
    expect(told.at(-1)).toEqual({ answer: "D", key: "d", error: undefined, isLoading: false });
    expect(asked).toEqual(["a", "d"]);
  });

  it("stays where the next question is refused, with the reason", async () => {
    const { told, want, answer } = asker();
    want("a");
    await answer("A");
    want("b");
    await answer(new Error("no such thing"));
    expect(told.at(-1)).toEqual({ answer: "A", key: "a", error: new Error("no such thing"), isLoading: false });
    want("c");
    await answer("C");
    expect(told.at(-1)).toEqual({ answer: "C", key: "c", error: undefined, isLoading: false });
  });

  it("is asked for once more where it may come a moment later, unless something else is wanted by then", async () => {
    const { told, asked, want, answer, elapse } = asker();
    want("a");
    await answer(new Error("busy"));
    expect(asked).toEqual(["a"]);
    await elapse();
    expect(asked).toEqual(["a", "a"]);
    await answer(new Error("busy"));
    want("b");
    await answer("B");
    await elapse();
    expect(asked).toEqual(["a", "a", "b"]);
    expect(told.at(-1)).toEqual({ answer: "B", key: "b", error: undefined, isLoading: false });
    want("c");
    await answer(new Error("no such thing"));
    await elapse();
    expect(asked).toEqual(["a", "a", "b", "c"]);
  });

  it("is told to nobody after the end, and what is under way is given up", async () => {
    const { latest, told, want, answer, signals } = asker();
    want("a");
    want("b");
    const before = told.length;
    latest.end();
    expect(signals[0]?.aborted).toBe(true);
    await answer("A");
    expect(told).toHaveLength(before);
    expect(signals).toHaveLength(1);
  });
});

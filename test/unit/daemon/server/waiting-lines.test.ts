/** The order in which sessions with messages waiting get their turn. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Domid } from "../../../../protocol/identifiers.js";
import { WaitingLines } from "../../../../daemon/server/waiting-lines.js";
import { propertyParameters } from "../../../support/seed.js";

interface Session {
  readonly connection: { readonly domid: Domid };
  readonly name: string;
}

let lines: WaitingLines<Session>;

beforeEach(() => {
  lines = new WaitingLines();
});

function session(name: string, domid: number): Session {
  return { name, connection: { domid: domid as Domid } };
}

const order = () => lines.inTurn().map(({ name }) => name);

describe("WaitingLines", () => {
  it("takes the heads of the lines in rounds, dom0 and the guests alternating", () => {
    for (const name of ["a", "b"]) lines.add(session(name, 0));
    for (const name of ["c", "d", "e"]) lines.add(session(name, 5));
    lines.add(session("f", 6));
    expect(order().join(" ")).toBe("a c b f d e");
    lines.served(session("another", 0));
    expect(order().join(" ")).toBe("c a f b d e");
    lines.served(session("another", 5));
    expect(order().join(" "), "domain 5 had its turn").toBe("a f b c d e");
  });

  it("puts who was served to the end of its line, and its domain behind the others (waiting lines invariant 1)", () => {
    const [c, d, f] = [session("c", 5), session("d", 5), session("f", 6)];
    for (const each of [c, d, f]) lines.add(each);
    const served: string[] = [];
    for (let turn = 0; turn < 8; turn++) {
      const [head] = lines.inTurn();
      if (head === undefined) break;
      served.push(head.name);
      lines.served(head);
      lines.add(head);
    }
    expect(served.join(" ")).toBe("c f d f c f d f");
  });

  it("keeps the place of who waits and is added again, and nothing of who has gone (waiting lines invariant 3)", () => {
    const [a, b, c] = [session("a", 5), session("b", 5), session("c", 5)];
    for (const each of [a, b, a]) lines.add(each);
    expect(order()).toEqual(["a", "b"]);
    lines.delete(a);
    lines.delete(c);
    expect([lines.has(a), lines.has(b), lines.isEmpty, order()]).toEqual([false, true, false, ["b"]]);
    lines.served(b);
    expect([lines.has(b), lines.isEmpty, [...lines]]).toEqual([false, true, []]);
  });

  it("has as its first whom the order has, and puts who is added first at the head of its domain's line alone", () => {
    for (const name of ["a", "b"]) lines.add(session(name, 0));
    for (const name of ["c", "d"]) lines.add(session(name, 5));
    lines.addFirst(session("e", 5));
    lines.addFirst(session("f", 6));
    expect(order().join(" ")).toBe("a e b f c d");
    const served: string[] = [];
    for (let { first } = lines; first !== undefined; { first } = lines) {
      expect(lines.inTurn()[0]).toBe(first);
      served.push(first.name);
      lines.served(first);
    }
    expect(served.join(" ")).toBe("a e b f c d");
  });

  it("lets one guest's session at most pass dom0, and each other guest once, whoever comes and goes (waiting lines invariants 1 and 2)", () => {
    const step = fc.record({ kind: fc.constantFrom("add", "delete", "serve"), index: fc.nat(29) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        lines = new WaitingLines();
        const all = Array.from({ length: 30 }, (_, index) => session(String(index), index % 5));
        /** For each domain that waits, which domains have been served since it began to or was served itself. */
        const passedBy = new Map<Domid, Domid[]>();
        const isWaiting = (domid: Domid) => [...lines].some(({ connection }) => connection.domid === domid);
        for (const { kind, index } of steps) {
          const each = kind === "serve" ? lines.inTurn()[0] : all[index];
          if (each === undefined) continue;
          const { domid } = each.connection;
          if (kind === "add") {
            if (!isWaiting(domid)) passedBy.set(domid, []);
            lines.add(each);
          } else if (kind === "delete") lines.delete(each);
          else {
            lines.served(each);
            passedBy.set(domid, []);
            for (const [other, passes] of passedBy) if (other !== domid && isWaiting(other)) passes.push(domid);
          }
          expect(new Set(lines.inTurn())).toEqual(new Set(lines));
          for (const [other, passes] of passedBy) {
            const guests = passes.filter((passing) => passing !== 0);
            if (other === 0) expect(guests.length).toBeLessThanOrEqual(1);
            else expect(new Set(guests).size, "no guest has two turns before another's one").toBe(guests.length);
          }
        }
      }),
      propertyParameters(300),
    );
  });
});

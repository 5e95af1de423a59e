/** Who may start a transaction among those that contend. */
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { noTurns, type TurnCounters } from "../../../../daemon/connection/turn-counters.js";
import {
  BARRED_MILLISECONDS,
  CHECK_MILLISECONDS,
  CONTENDER_MILLISECONDS,
  DOM0_PATIENCE,
  GUEST_PATIENCE,
  Turnstile,
  WAIT_MILLISECONDS_MAX,
  type Contender,
} from "../../../../daemon/server/turnstile.js";
import { emptyRoot } from "../../../../daemon/store/root.js";
import { Transaction } from "../../../../daemon/store/transaction.js";
import type { Domid, Seq, TxId } from "../../../../protocol/identifiers.js";
import { propertyParameters } from "../../../support/seed.js";

interface Session {
  readonly name: string;
  readonly connection: { readonly domid: Domid };
  contender: Contender<Session> | undefined;
}

const PATH = "/local/domain";
const TRANSACTION = new Transaction(1 as TxId, emptyRoot(), 0 as Seq, 0);

let counters: TurnCounters;
let turnstile: Turnstile<Session>;
let now: number;

beforeEach(() => {
  counters = noTurns();
  turnstile = new Turnstile(counters);
  now = 1000;
});

function session(name: string, domid = 0): Session {
  return { name, connection: { domid: domid as Domid }, contender: undefined };
}

function fail(failed: Session, culprit?: Session, { path = PATH, hadTurn = false } = {}): void {
  turnstile.failed({ session: failed, culprit, path, hadTurn }, now);
}

/** A START arrives: whether it is dispatched, which a session that does not contend need not ask about. */
function start(starting: Session): boolean {
  const { contender } = starting;
  if (contender === undefined) return true;
  if (turnstile.mustWait(contender, now)) return false;
  turnstile.started(contender, TRANSACTION);
  return true;
}

/** The transaction that has the turn ends. */
function end(ending: Session, isConcerned = true): void {
  if (ending.contender?.state === "holding") turnstile.release(ending.contender, now, isConcerned);
}

/** Those who are admitted now; their STARTs are dispatched. */
function admitted(): string {
  const names: string[] = [];
  for (let next = turnstile.takeAdmitted(); next !== undefined; next = turnstile.takeAdmitted()) {
    names.push(next.name);
    if (next.contender !== undefined) turnstile.started(next.contender, TRANSACTION);
  }
  return names.join(" ");
}

const check = (isExcused = false) => {
  turnstile.check(now, () => isExcused);
};

/** Lets time pass as a server does, with the checks that are due. */
function pass(milliseconds: number, isExcused = false): void {
  for (const end = now + milliseconds; now < end;) {
    now = Math.min(end, now + CHECK_MILLISECONDS);
    if (turnstile.isWaiting) check(isExcused);
  }
}

/** Sessions that have all contended with each other. */
function contenders(...sessions: Session[]): void {
  for (const each of sessions) fail(each, sessions[0]);
}

describe("Turnstile", () => {
  it("holds the second START until the transaction of the first has ended, and admits it then", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    expect([start(a), start(b)]).toEqual([true, false]);
    expect(admitted()).toBe("");
    now += 3;
    end(a);
    expect(admitted()).toBe("b");
    expect(counters).toMatchObject({
      turns: 2,
      waits: 1,
      waiting: 0,
      waitedMilliseconds: 3,
      longestWaitMilliseconds: 3,
    });
  });

  it("makes the connection a contender whose commit made the transaction fail, and asks nothing of others", () => {
    const [a, culprit, other] = [session("a"), session("culprit"), session("other")];
    fail(a, culprit);
    expect([a.contender, culprit.contender].every((each) => each?.group.path === PATH)).toBe(true);
    expect(other.contender).toBeUndefined();
  });

  it("has those who failed about different paths not wait for each other", () => {
    const [a, b] = [session("a"), session("b")];
    fail(a, undefined, { path: "/a" });
    fail(b, undefined, { path: "/b" });
    expect([start(a), start(b)]).toEqual([true, true]);
  });

  it("takes a contender to the group of its last failure, but not one that waits or holds the turn", () => {
    const [a, b, c] = [session("a"), session("b"), session("c")];
    contenders(a, b, c);
    start(a);
    start(b);
    fail(c, a, { path: "/c" });
    fail(c, b, { path: "/c" });
    expect([a, b, c].map(({ contender }) => contender?.group.path)).toEqual([PATH, PATH, "/c"]);
    end(a);
    expect(admitted()).toBe("b");
  });

  it("serves within a domain who came first, and domains and dom0 in turns (turnstile invariant 5)", () => {
    const holder = session("holder");
    const waiting = [session("a"), session("b"), session("c", 5), session("d", 5), session("e", 6)];
    contenders(holder, ...waiting);
    start(holder);
    for (const each of waiting) expect(start(each)).toBe(false);
    const order: string[] = [];
    let ending: Session | undefined = holder;
    while (ending !== undefined) {
      end(ending);
      const name = admitted();
      if (name !== "") order.push(name);
      ending = waiting.find((each) => each.name === name);
    }
    expect(order.join(" ")).toBe("a c b e d");
  });

  it("serves next in its domain who failed though it had the turn (turnstile invariant 5)", () => {
    const [a, b, c, guest] = [session("a"), session("b"), session("c"), session("guest", 5)];
    contenders(a, b, c, guest);
    for (const each of [a, b, c, guest]) start(each);
    end(a);
    fail(a, undefined, { hadTurn: true });
    expect(admitted()).toBe("b");
    expect(start(a)).toBe(false);
    end(b);
    expect(admitted()).toBe("guest");
    end(guest);
    expect(admitted(), "before c, which came earlier").toBe("a");
  });

  it("lets who has waited WAIT_MILLISECONDS_MAX go on without a turn, once (turnstile invariant 3)", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    start(a);
    start(b);
    const { contender } = a;
    if (contender === undefined) throw new Error("a does not contend");
    for (const begin = now; now < begin + WAIT_MILLISECONDS_MAX;) {
      expect(admitted()).toBe("");
      pass(CHECK_MILLISECONDS);
      // The holder is never slow in anybody's eyes.
      contender.sentAt = now;
      contender.since = now;
    }
    expect(admitted()).toBe("b");
    expect(counters).toMatchObject({ waitsEnded: 1, longestWaitMilliseconds: WAIT_MILLISECONDS_MAX });
    fail(b, a);
    expect(start(b), "its next START waits again").toBe(false);
  });

  it.each([
    ["dom0", 0, DOM0_PATIENCE],
    ["a guest", 5, GUEST_PATIENCE],
  ] as const)(
    "takes the turn from %s that idles while others wait (turnstile invariant 4)",
    (_who, domid, patience) => {
      const [idler, other] = [session("idler", domid), session("other", 6)];
      contenders(idler, other);
      start(idler);
      pass(400);
      fail(other);
      expect(start(other), "idling while nobody waits costs nothing").toBe(false);
      pass(patience.idleMilliseconds - 1);
      expect(admitted()).toBe("");
      pass(1);
      check();
      expect(admitted()).toBe("other");
      fail(idler);
      expect(start(idler)).toBe(false);
      end(other);
      expect(admitted()).toBe("idler");
      expect([idler.contender?.state, start(other)], "it has no turn").toEqual(["free", true]);
      expect(counters).toMatchObject({ turnsLost: 1, turns: 3 });
      end(other);
      expect([start(idler), idler.contender?.state], "nor where nobody else has it").toEqual([true, "free"]);
    },
  );

  it.each([
    ["dom0", 0, DOM0_PATIENCE],
    ["a guest", 5, GUEST_PATIENCE],
  ] as const)(
    "takes the turn from %s that takes long, though it sends (turnstile invariant 4)",
    (_who, domid, patience) => {
      const [slow, other] = [session("slow", domid), session("other", 6)];
      contenders(slow, other);
      start(slow);
      start(other);
      for (const begin = now; now < begin + patience.turnMilliseconds;) {
        expect(admitted()).toBe("");
        now += 5;
        if (slow.contender !== undefined) turnstile.sent(slow.contender, now);
        check();
      }
      expect(admitted()).toBe("other");
    },
  );

  it("bars all connections of a guest, and of dom0 the one alone, for BARRED_MILLISECONDS (turnstile invariant 4)", () => {
    for (const domid of [0, 5]) {
      const [idler, sibling, other] = [session("idler", domid), session("sibling", domid), session("other", 6)];
      contenders(idler, sibling, other);
      start(idler);
      start(other);
      pass(60);
      expect(admitted()).toBe("other");
      for (const each of [idler, sibling]) {
        fail(each, other);
        expect(start(each)).toBe(false);
      }
      end(other);
      expect(admitted()).toBe("idler sibling");
      const states = [idler, sibling].map(({ contender }) => contender?.state);
      expect(states).toEqual(["free", domid === 0 ? "holding" : "free"]);
      for (const each of [idler, sibling, other]) turnstile.left(each, now);
      pass(BARRED_MILLISECONDS);
      contenders(idler, other);
      start(other);
      start(idler);
      end(other);
      expect([admitted(), idler.contender?.state]).toEqual(["idler", "holding"]);
      for (const each of [idler, other]) turnstile.left(each, now);
      admitted();
    }
  });

  it("lets a guest's other connections that wait go on without a turn when it is barred (turnstile invariant 4)", () => {
    const [idler, sibling, other] = [session("idler", 5), session("sibling", 5), session("other", 6)];
    contenders(idler, sibling, other);
    for (const each of [idler, sibling, other]) start(each);
    pass(GUEST_PATIENCE.idleMilliseconds);
    expect(admitted()).toBe("sibling other");
    expect([sibling.contender?.state, other.contender?.state]).toEqual(["free", "holding"]);
  });

  it.each([
    { milliseconds: 8, share: [0.2, 0.3] },
    { milliseconds: 24, share: [0.2, 0.3] },
    { milliseconds: 0.2, share: [0.2, 0.3] },
  ])(
    "gives a guest that holds each turn for $milliseconds ms a part of the time, dom0 the rest (turnstile invariant 4)",
    ({ milliseconds, share: [least = 0, most = 0] }) => {
      const clients = [session("guest", 5), session("guest too", 5), session("a"), session("b")];
      contenders(...clients);
      const time = new Map<string, number>();
      const end = now + 5000;
      for (const each of clients) start(each);
      admitted();
      let checkedAt = now;
      while (now < end) {
        const holder = clients.find(({ contender }) => contender?.state === "holding");
        if (holder === undefined) throw new Error("nobody has the turn");
        const took = holder.connection.domid === 0 ? Math.min(milliseconds, 1) : milliseconds;
        const who = holder.name.startsWith("guest") ? "guest" : "dom0";
        time.set(who, (time.get(who) ?? 0) + took);
        for (const until = now + took; now < until;) {
          now = Math.min(until, now + 1);
          if (holder.contender !== undefined) turnstile.sent(holder.contender, now);
          if (now - checkedAt < CHECK_MILLISECONDS) continue;
          check();
          checkedAt = now;
        }
        if (holder.contender?.state === "holding") turnstile.release(holder.contender, now, true);
        admitted();
        for (const each of clients) if (each.contender?.state === "free") start(each);
        admitted();
      }
      const part = (time.get("guest") ?? 0) / 5000;
      expect(part).toBeGreaterThanOrEqual(least);
      expect(part).toBeLessThanOrEqual(most);
    },
  );

  it("lets guests have all turns that dom0 does not wait for, however long they take", () => {
    const [a, b] = [session("a", 5), session("b", 6)];
    contenders(a, b);
    start(a);
    start(b);
    for (let round = 0; round < 100; round++) {
      const [holder, other] = round % 2 === 0 ? [a, b] : [b, a];
      pass(8);
      expect([holder.contender?.state, other.contender?.state]).toEqual(["holding", "waiting"]);
      end(holder);
      expect(admitted()).toBe(other.name);
      start(holder);
    }
  });

  it("does not count against a guest's share what dom0 did not wait for, nor a turn that was slow through no fault of its own", () => {
    const [guest, other, dom0] = [session("guest", 5), session("other", 6), session("dom0")];
    contenders(guest, other, dom0);
    start(guest);
    for (let round = 0; round < 5; round++) {
      start(other);
      pass(8);
      start(dom0);
      end(guest);
      admitted();
      for (const each of [dom0, other]) end(each);
      admitted();
      for (const each of [dom0, other]) end(each);
      expect(start(guest)).toBe(true);
      expect(guest.contender?.state).toBe("holding");
    }
    for (let round = 0; round < 5; round++) {
      start(dom0);
      pass(GUEST_PATIENCE.idleMilliseconds, true);
      admitted();
      fail(guest);
      end(dom0);
      expect(start(guest)).toBe(true);
      expect(guest.contender?.state).toBe("holding");
    }
  });

  it("does not bar who was slow through no fault of its own", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    start(a);
    start(b);
    pass(DOM0_PATIENCE.idleMilliseconds, true);
    expect(admitted()).toBe("b");
    fail(a);
    start(a);
    end(b);
    expect([admitted(), a.contender?.state]).toEqual(["a", "holding"]);
  });

  it("does not count against the holder that the daemon stood still", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    start(a);
    pass(100);
    start(b);
    now += 1000;
    check();
    pass(DOM0_PATIENCE.idleMilliseconds - 3 * CHECK_MILLISECONDS);
    expect(admitted()).toBe("");
    pass(3 * CHECK_MILLISECONDS);
    expect(admitted()).toBe("b");
  });

  it("passes the turn on where it cannot be used, and lets that START go on without, once", () => {
    const [a, b, c] = [session("a"), session("b"), session("c")];
    contenders(a, b, c);
    for (const each of [a, b, c]) start(each);
    end(a);
    expect(turnstile.takeAdmitted()).toBe(b);
    if (b.contender !== undefined) turnstile.forfeit(b.contender, now);
    expect(admitted()).toBe("c");
    expect([start(b), start(b)]).toEqual([true, false]);
  });

  it("admits the next one when who holds the turn goes, and forgets who goes while it waits", () => {
    const [a, b, c] = [session("a"), session("b"), session("c")];
    contenders(a, b, c);
    for (const each of [a, b, c]) start(each);
    turnstile.left(b, now);
    turnstile.left(a, now);
    expect(admitted()).toBe("c");
    expect(counters.waiting).toBe(0);
    turnstile.left(c, now);
    expect(turnstile.isEmpty).toBe(true);
  });

  it("has two that do something else no longer wait for each other (turnstile invariant 6)", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    let waits = 0;
    for (const begin = now; now <= begin + CONTENDER_MILLISECONDS; now += 10) {
      start(a);
      if (!start(b)) waits++;
      end(a, false);
      admitted();
      end(b, false);
    }
    expect(waits).toBe(CONTENDER_MILLISECONDS / 10 + 1);
    expect([start(a), start(b)]).toEqual([true, true]);
    expect(turnstile.isEmpty).toBe(true);
  });

  it("has two whose transactions have to do with the path go on taking turns without another failure", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    for (let round = 0; round < 100; round++) {
      expect([start(a), start(b)]).toEqual([true, false]);
      now += 10;
      end(a);
      expect(admitted()).toBe("b");
      end(b);
    }
  });

  it("lets go of a contender that is alone", () => {
    const [a, b] = [session("a"), session("b")];
    contenders(a, b);
    turnstile.left(b, now);
    for (let round = 0; round < 100 && a.contender !== undefined; round++) {
      start(a);
      now += 10;
      end(a);
    }
    expect(turnstile.isEmpty).toBe(true);
  });
});

/** What may happen to one of some sessions. */
type Step =
  | { readonly kind: "start" | "send" | "end" | "end in vain" | "leave"; readonly who: number }
  | { readonly kind: "fail"; readonly who: number; readonly culprit: number; readonly path: number }
  | { readonly kind: "time"; readonly milliseconds: number };

const SESSIONS = 8;
const who = fc.nat(SESSIONS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constantFrom("start" as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constantFrom("end" as const, "end in vain" as const, "send" as const), who }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("fail" as const), who, culprit: who, path: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("time" as const), milliseconds: fc.nat(300) }) },
);

/** What a server knows of a session: whether its START is held, since when, and whether it has a transaction open. */
class Client {
  readonly domid: number;
  session: Session;
  heldSince: number | undefined;
  isOpen = false;

  constructor(domid: number) {
    this.domid = domid;
    this.session = session("client", domid);
  }
}

/** A server in the small, which asserts the turnstile's promises. */
class Model {
  readonly clients = Array.from(
    { length: SESSIONS },
    (_, index) => new Client(index < 3 ? 0 : 4 + Math.floor(index / 2)),
  );

  take(taken: Step): void {
    if (taken.kind === "time") {
      for (const end = now + taken.milliseconds; now < end;) {
        now = Math.min(end, now + CHECK_MILLISECONDS);
        if (turnstile.isWaiting) check();
        this.#admit();
        this.assertPromises();
      }
      return;
    }
    const client = this.clients[taken.who] as Client;
    this.#act(client, taken);
    this.#admit();
    this.assertPromises();
  }

  #act(client: Client, taken: Exclude<Step, { kind: "time" }>): void {
    const { session: acting } = client;
    if (taken.kind === "leave") {
      turnstile.left(acting, now);
      Object.assign(client, { session: session("client", client.domid), heldSince: undefined, isOpen: false });
    } else if (client.heldSince !== undefined) {
      // A client that waits for an answer sends nothing that is dispatched.
    } else if (taken.kind === "fail") {
      if (client.isOpen)
        this.#end(client, { path: `/${String(taken.path)}`, culprit: this.clients[taken.culprit] as Client });
    } else if (taken.kind === "send") {
      if (acting.contender?.state === "holding") turnstile.sent(acting.contender, now);
    } else if (taken.kind === "start") {
      if (client.isOpen) return;
      if (start(acting)) client.isOpen = true;
      else client.heldSince = now;
    } else if (client.isOpen) {
      this.#end(client, undefined, taken.kind === "end");
    }
  }

  #end(client: Client, failure?: { path: string; culprit: Client }, isConcerned = true): void {
    const { session: ending } = client;
    client.isOpen = false;
    const hadTurn = ending.contender?.state === "holding";
    end(ending, isConcerned);
    if (failure !== undefined) fail(ending, failure.culprit.session, { path: failure.path, hadTurn });
  }

  #admit(): void {
    for (let next = turnstile.takeAdmitted(); next !== undefined; next = turnstile.takeAdmitted()) {
      const client = this.clients.find(({ session: each }) => each === next);
      if (client === undefined) continue;
      expect(client.heldSince, "somebody is admitted who was not held").toBeDefined();
      client.heldSince = undefined;
      client.isOpen = true;
      if (next.contender !== undefined) turnstile.started(next.contender, TRANSACTION);
    }
  }

  assertPromises(): void {
    const holders = new Map<string, number>();
    for (const { session: each, heldSince, isOpen } of this.clients) {
      const { contender } = each;
      expect(contender?.state === "waiting").toBe(heldSince !== undefined);
      if (contender === undefined) continue;
      const { path } = contender.group;
      if (contender.state === "holding") holders.set(path, (holders.get(path) ?? 0) + 1);
      if (heldSince === undefined) continue;
      expect(isOpen, "held with an open transaction (invariant 2)").toBe(false);
      expect(now - heldSince, "held too long (invariant 3)").toBeLessThan(WAIT_MILLISECONDS_MAX + CHECK_MILLISECONDS);
      expect(contender.group.holder, "waits for nobody (invariant 1)").toBeDefined();
    }
    for (const count of holders.values()) expect(count, "holders of one turn (invariant 1)").toBe(1);
    expect(counters.waiting).toBe(this.clients.filter(({ heldSince }) => heldSince !== undefined).length);
  }
}

describe("Turnstile, whatever happens", () => {
  it("keeps its promises, and remembers nothing of who is gone (turnstile invariants 1, 2, 3 and 7)", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        counters = noTurns();
        turnstile = new Turnstile(counters);
        now = 0;
        const model = new Model();
        for (const each of steps) model.take(each);
        for (const index of model.clients.keys()) model.take({ kind: "leave", who: index });
        now += BARRED_MILLISECONDS;
        check();
        expect(turnstile.isEmpty).toBe(true);
        expect(turnstile.isWaiting).toBe(false);
      }),
      propertyParameters(300),
    );
  });
});

/**
 * A store in virtual time, for tests of what actors do on one connection.
 *
 * Owns the world, the connection of the actor under test with all that it sends, and another connection for everybody else.
 */
import type { XenstoreClient } from "../../../../clients/xenstore/client.js";
import type { Domid } from "../../../../protocol/identifiers.js";
import { getOperation } from "../../../../protocol/operation.js";
import { MessageParser } from "../../../../protocol/parser.js";
import { StoreAccess } from "../../../../simulator/actors/store-access.js";
import { World, type WorldObserver } from "../../../../simulator/world/world.js";
import { seed } from "../../../support/seed.js";

const DOM0 = 0 as Domid;
const UNDER_TEST = "under test";

/** What a test of an actor has at hand. */
export interface StoreInWorld {
  readonly world: World;
  /** The actor's connection. */
  readonly store: StoreAccess;
  /** Everybody else's. */
  readonly other: XenstoreClient;
  /** What came to the daemon on the actor's connection, such as `WRITE /a 1`. */
  readonly requests: string[];
  /** Waits for a promise in virtual time. */
  readonly run: <T>(promise: Promise<T>) => Promise<T>;
  /** Changes a node as everybody else, and waits until nothing more follows from it. */
  readonly change: (path: string, value: string) => Promise<void>;
}

/** Makes a world whose store holds these nodes. */
export async function storeInWorld(nodes: Readonly<Record<string, string>> = {}): Promise<StoreInWorld> {
  const requests: string[] = [];
  const observer: WorldObserver = {
    connected: (_domid, actor) => {
      const parser = new MessageParser();
      return {
        sent: (chunk) => {
          if (actor !== UNDER_TEST) return;
          parser.push(chunk);
          for (let message = parser.next(); message !== undefined; message = parser.next()) {
            const name = getOperation(message.type)?.name ?? String(message.type);
            requests.push(`${name} ${message.payload.split("\0").join(" ").trimEnd()}`.trimEnd());
          }
        },
        received: () => undefined,
      };
    },
  };
  const world = new World(seed(), { observer });
  await world.startDaemon();
  const run = <T>(promise: Promise<T>): Promise<T> => world.runUntil(promise);
  const other = await run(world.environment.connect(DOM0, "other"));
  for (const [path, value] of Object.entries(nodes)) await run(other.write(path, value));
  const store = new StoreAccess(await run(world.environment.connect(DOM0, UNDER_TEST)));
  return {
    world,
    store,
    other,
    requests,
    run,
    change: async (path, value) => {
      await run(other.write(path, value));
      await world.scheduler.runUntilQuiet();
    },
  };
}

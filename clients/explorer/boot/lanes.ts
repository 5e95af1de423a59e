/**
 * The lanes of a scene: who did what stands in whose row.
 *
 * Owns the order and the names. Each domain but dom0 has one lane. Dom0, where toolstack, daemons and drivers live, has one too, or one for
 * each connection: then those that asked little, as each access of a hotplug script does, share one.
 */
import { domainInWords } from "../words/perms.js";
import type { Happening } from "./happenings.js";

/** How dom0 is shown. */
export type LaneMode = "domain" | "actor";

/** A lane. */
export interface Lane {
  readonly key: string;
  readonly title: string;
  readonly domain: number;
}

/** By connection unless there were more lanes than this. */
const ACTOR_LANES_MAX = 12;
/** A connection with fewer requests and events is one of those that share a lane. */
const OWN_LANE_MIN = 8;
const SHORT = "short";

/** Who has which lane. */
export interface Lanes {
  readonly mode: LaneMode;
  readonly lanes: readonly Lane[];
  /** The place of a connection's lane among them. */
  laneOf(origin: Pick<Happening, "connection" | "domain">): number;
  /** The place of a domain's lane; -1 where it has none of its own. */
  laneOfDomain(domain: number): number;
}

/**
 * Makes lanes.
 *
 * @param domains - that have a lane also where they did nothing
 * @param mode - by what is there unless given
 */
export function lanesFor(
  happenings: readonly Happening[],
  domains: Iterable<number>,
  mode: LaneMode | undefined,
): Lanes {
  const dom0 = dom0Connections(happenings);
  const guests = [...new Set([...domains, ...happenings.map(({ domain }) => domain)])]
    .filter((domain) => domain !== 0)
    .sort((left, right) => left - right);
  const own = [...dom0].filter(([, { count }]) => count >= OWN_LANE_MIN);
  const chosen = mode ?? (own.length + 1 + guests.length <= ACTOR_LANES_MAX ? "actor" : "domain");
  const lanes: Lane[] = [];
  const places = new Map<string, number>();
  const add = (lane: Lane): void => {
    places.set(lane.key, lanes.length);
    lanes.push(lane);
  };
  if (chosen === "domain" && dom0.size > 0) add({ key: "0", title: "dom0", domain: 0 });
  if (chosen === "actor") {
    for (const [connection, { role }] of own) {
      add({ key: connection, title: role === undefined ? connection : `${role} (${connection})`, domain: 0 });
    }
    const others = dom0.size - own.length;
    if (others > 0) add({ key: SHORT, title: `dom0, ${String(others)} short`, domain: 0 });
  }
  for (const domain of guests) add({ key: String(domain), title: domainInWords(domain), domain });
  const keyOf = (connection: string): string =>
    chosen === "domain" ? "0" : places.has(connection) ? connection : SHORT;
  return {
    mode: chosen,
    lanes,
    laneOf: ({ connection, domain }) => places.get(domain === 0 ? keyOf(connection) : String(domain)) ?? 0,
    laneOfDomain: (domain) => places.get(String(domain)) ?? -1,
  };
}

interface Dom0Connection {
  readonly count: number;
  readonly role: string | undefined;
}

/** The connections of dom0 in the order in which they are met. */
function dom0Connections(happenings: readonly Happening[]): ReadonlyMap<string, Dom0Connection> {
  const found = new Map<string, { count: number; role: string | undefined }>();
  for (const happening of happenings) {
    if (happening.domain !== 0) continue;
    const known = found.get(happening.connection) ?? { count: 0, role: undefined };
    known.count++;
    known.role ??= roleOf(happening);
    found.set(happening.connection, known);
  }
  return found;
}

/** What a connection's other end is, by what only that does. */
function roleOf({ kind, operation, subject, detail }: Happening): string | undefined {
  if (kind === "event") return undefined;
  if (operation === "INTRODUCE") return "toolstack";
  if (operation === "WATCH" && subject === "/local/domain/0/backend") return "backends";
  if (operation === "WATCH" && subject === "@introduceDomain") return "console";
  if (operation === "WRITE" && /^\/local\/domain\/\d+\/console\/tty$/.test(subject) && detail !== "") return "console";
  if (operation === "WRITE" && /^\/local\/domain\/\d+\/backend\/.*\/feature-/.test(subject)) return "backends";
  return undefined;
}

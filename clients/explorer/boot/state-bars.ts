/**
 * The states of devices' ends as stretches of time.
 *
 * Owns which nodes these are and how long each state lasts, from what commits changed: until the next one, or until the node went. What
 * stood before the first change began before what is shown; the last state lasts on. Where a commit changed more than is told, a directory
 * that went takes along all below it.
 */
import type { ActivityCommit } from "../../../protocol/http-api/activity.js";
import { isStateNode } from "../words/xenbus.js";
import { microsecondsOf } from "../words/times.js";

/** A device's end. */
export interface DeviceEnd {
  /** Of the machine that has the device. */
  readonly domain: number;
  /** Such as `vif/0`. */
  readonly device: string;
  readonly end: "frontend" | "backend";
}

/** A state for as long as it lasted. */
export interface StateStretch extends DeviceEnd {
  readonly path: string;
  /** The node's value: a number, if all is well. */
  readonly state: string;
  readonly from: number;
  /** Undefined where it lasts on. */
  readonly to: number | undefined;
  /** The commit that began it; undefined where that was before what is shown. */
  readonly seq: number | undefined;
}

const FRONTEND = /^\/local\/domain\/(\d+)\/(?:device\/)?(.+)\/state$/;
const BACKEND = /^\/local\/domain\/\d+\/backend\/([^/]+)\/(\d+)\/(.+)\/state$/;

/** The end whose state a node has; undefined for any other node. */
export function deviceEndOf(path: string): DeviceEnd | undefined {
  if (!isStateNode(path)) return undefined;
  const [, type = "", of, id = ""] = BACKEND.exec(path) ?? [];
  if (of !== undefined) return { domain: Number(of), device: `${type}/${id}`, end: "backend" };
  const [, domain, device = ""] = FRONTEND.exec(path) ?? [];
  return domain === undefined ? undefined : { domain: Number(domain), device, end: "frontend" };
}

/** The states, by their begin. @param from - when what is shown begins */
export function stateStretches(commits: readonly ActivityCommit[], from: number): readonly StateStretch[] {
  const last = new Map<string, StateStretch>();
  const known = new Set<string>();
  const stretches: StateStretch[] = [];
  const end = (path: string, to: number): void => {
    const stretch = last.get(path);
    if (stretch === undefined) return;
    stretches.push({ ...stretch, to });
    last.delete(path);
  };
  for (const { changes, time, seq, hasMore } of commits) {
    const at = time === undefined ? from : microsecondsOf(time);
    for (const { path, before, after } of changes) {
      if (after === undefined && hasMore === true)
        endBelow(path, last, (each) => {
          end(each, at);
        });
      const device = path.endsWith("/state") ? deviceEndOf(path) : undefined;
      if (device === undefined || before === after) continue;
      if (before !== undefined && !known.has(path)) {
        stretches.push({ ...device, path, state: before, from, to: at, seq: undefined });
      }
      known.add(path);
      end(path, at);
      if (after !== undefined) last.set(path, { ...device, path, state: after, from: at, to: undefined, seq });
    }
  }
  return [...stretches, ...last.values()].sort((left, right) => left.from - right.from);
}

/** Where not all is told that went. */
function endBelow(path: string, last: ReadonlyMap<string, StateStretch>, end: (path: string) => void): void {
  const start = `${path}/`;
  for (const each of [...last.keys()]) if (each.startsWith(start)) end(each);
}

/** A state of a machine as a whole. */
export interface LowestState {
  readonly state: string;
  readonly from: number;
  readonly to: number | undefined;
}

/** For each moment the lowest state of all ends: how far the one is that is furthest behind. */
export function lowestStates(stretches: readonly StateStretch[]): readonly LowestState[] {
  const steps = stretches
    .flatMap(({ state, from, to }) => [
      { time: from, state, count: 1 },
      { time: to ?? Infinity, state, count: -1 },
    ])
    .sort((left, right) => left.time - right.time);
  const counts = new Map<string, number>();
  const lowest: LowestState[] = [];
  let current: { readonly state: string; readonly from: number } | undefined;
  for (const [index, { time, state, count }] of steps.entries()) {
    counts.set(state, (counts.get(state) ?? 0) + count);
    if (time === steps[index + 1]?.time) continue;
    const [now] = [...counts]
      .filter(([, each]) => each > 0)
      .map(([each]) => each)
      .sort();
    if (now === current?.state) continue;
    if (current !== undefined) lowest.push({ ...current, to: time === Infinity ? undefined : time });
    current = now === undefined ? undefined : { state: now, from: time };
  }
  return lowest;
}

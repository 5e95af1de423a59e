/**
 * The moment that all views are about: the commit that the address's `at` names, or the tip.
 *
 * Owns the way through time: what the cursor sets, what the keys step. While the cursor is dragged the address stays as it is, for
 * browsers allow few changes of it; when it is let go the address names the commit. A number names a commit of main: one of another branch
 * is named by its object.
 */
import { batch, computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import type { CommitJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { Latest, NOTHING_LOADED, type Loaded } from "../api/latest.js";
import { RETRY } from "../api/retry.js";
import { isoOf } from "../words/times.js";
import { place, show } from "./navigation.js";
import { followTip, tipSteps } from "./tip.js";

/** A commit, and whether its number names it. */
export interface Moment extends CommitJson {
  readonly isOnMain: boolean;
}

/** Where the cursor is dragged to, in microseconds since the epoch. */
const dragged = signal<number | undefined>(undefined);

/** Whether the tip is shown, wherever that goes. */
export const isAtTip: ReadonlySignal<boolean> = computed(
  () => dragged.value === undefined && place.value.members["at"] === undefined,
);

const loaded = signal<Loaded<Moment>>(NOTHING_LOADED);

/** The commit of the moment; while another one is loaded, the one before. */
export const moment: ReadonlySignal<Loaded<Moment>> = loaded;

const latest = new Latest<Moment>((now) => {
  loaded.value = now;
}, RETRY);

/** The views that are about a moment. */
const VIEWS_OF_MOMENT: ReadonlySet<string> = new Set(["tree", "bisect", "rollback", "boot"]);

const revision = computed(() => {
  if (!VIEWS_OF_MOMENT.has(place.value.view)) return undefined;
  return dragged.value === undefined ? (place.value.members["at"] ?? "HEAD") : timeRevision(dragged.value);
});

effect(() => {
  const asked = revision.value;
  if (asked === undefined) return;
  const key = isAtTip.value ? `${asked} ${String(tipSteps.value)}` : asked;
  latest.want(key, (ended) => loadMoment(asked, ended));
});

/** Only who shows the tip follows it. */
const isFollowing = computed(() => isAtTip.value && revision.value !== undefined);
effect(() => (isFollowing.value ? followTip() : undefined));

// A time names another commit with every commit that is made meanwhile, and an object's name tells people little.
const HAS_BETTER_NAME = /^(?:@\{.*|[0-9a-f]{40})$/;
effect(() => {
  const { answer, key } = loaded.value;
  const { at } = place.value.members;
  if (
    dragged.value !== undefined ||
    at === undefined ||
    key !== at ||
    !HAS_BETTER_NAME.test(at) ||
    answer === undefined
  )
    return;
  if (nameOf(answer) !== at) show({ at: nameOf(answer) }, false);
});

/** Loads a commit. @throws ApiError */
export async function loadMoment(asked: string, ended: AbortSignal): Promise<Moment> {
  const commit = await ask("commit", { revision: asked }, ended);
  return { ...commit, isOnMain: await isOnMain(asked, commit, ended) };
}

async function isOnMain(asked: string, { oid, seq }: CommitJson, ended: AbortSignal): Promise<boolean> {
  if (seq === undefined) return false;
  if (asked === "HEAD" || asked.startsWith("@{")) return true;
  try {
    const { commit } = await ask("node", { at: numbered(seq), path: "/" }, ended);
    return commit.oid === oid;
  } catch (error) {
    if (ended.aborted) throw error;
    return false;
  }
}

/** Drags the cursor to a time, in microseconds since the epoch. */
export function dragTo(time: number): void {
  dragged.value = time;
}

/** Lets the cursor go where it is. */
export function letGo(): void {
  const time = dragged.value;
  if (time === undefined) return;
  const { key, answer } = loaded.value;
  batch(() => {
    dragged.value = undefined;
    show({ at: key === timeRevision(time) && answer !== undefined ? nameOf(answer) : timeRevision(time) });
  });
}

/** Forgets where the cursor was dragged to. */
export function giveUpDrag(): void {
  dragged.value = undefined;
}

/** Shows the commit that is so many behind the one that is shown, or before it where negative. */
export function stepBy(count: number): void {
  const { answer } = loaded.value;
  const at = answer === undefined ? undefined : neighbourOf(answer, count);
  if (at !== undefined) show({ at }, false);
}

/** The revision that is so many commits behind a commit, or before it where negative; undefined where that is not known. */
export function neighbourOf({ seq, oid, isOnMain: isNumbered }: Moment, count: number): string | undefined {
  if (isNumbered && seq !== undefined) return numbered(Math.max(1, seq + count));
  return count < 0 ? `${oid}~${String(-count)}` : undefined;
}

/** Shows the tip, and goes on with it. */
export function showTip(): void {
  batch(() => {
    giveUpDrag();
    show({ at: undefined });
  });
}

/** How a moment is named in an address. */
export function nameOf({ seq, oid, isOnMain: isNumbered }: Moment): string {
  return isNumbered && seq !== undefined ? numbered(seq) : oid;
}

/** The commit with this number on the moment's branch, which is not behind the moment where that is not main. */
export function revisionOfNumber(seq: number): string {
  const { answer } = loaded.value;
  if (answer?.seq === undefined || answer.isOnMain || seq > answer.seq) return numbered(seq);
  return `${answer.oid}~${String(answer.seq - seq)}`;
}

function numbered(seq: number): string {
  return `@{${String(seq)}}`;
}

function timeRevision(time: number): string {
  return `@{${isoOf(time)}}`;
}

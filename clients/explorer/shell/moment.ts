/**
 * The moment that all views are about: the commit that the address's `at` names, or the tip.
 *
 * Owns the way through time: what the cursor sets, what the keys step. While the cursor is dragged the address stays as it is, for
 * browsers allow few changes of it; when it is let go the address names the commit.
 */
import { computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import type { CommitJson, CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { Latest, NOTHING_LOADED, type Loaded } from "../api/latest.js";
import { isoOf } from "../words/times.js";
import { place, show } from "./navigation.js";
import { followTip, tipSteps } from "./tip.js";

/** Where the cursor is dragged to, in microseconds since the epoch. */
const dragged = signal<number | undefined>(undefined);

/** Whether the tip is shown, wherever that goes. */
export const isAtTip: ReadonlySignal<boolean> = computed(
  () => dragged.value === undefined && place.value.members["at"] === undefined,
);

const loaded = signal<Loaded<CommitJson>>(NOTHING_LOADED);

/** The commit of the moment; while another one is loaded, the one before. */
export const moment: ReadonlySignal<Loaded<CommitJson>> = loaded;

const latest = new Latest<CommitJson>((now) => {
  loaded.value = now;
});

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
  latest.want(key, (ended) => ask("commit", { revision: asked }, ended));
});

/** Only who shows the tip follows it. */
const isFollowing = computed(() => isAtTip.value && revision.value !== undefined);
effect(() => (isFollowing.value ? followTip() : undefined));

// A time names another commit with every commit that is made meanwhile: the address has the commit.
effect(() => {
  const { answer, key } = loaded.value;
  const { at } = place.value.members;
  if (dragged.value !== undefined || at === undefined || key !== at || !at.startsWith("@{") || answer === undefined)
    return;
  if (revisionOf(answer) !== at) show({ at: revisionOf(answer) }, false);
});

/** Drags the cursor to a time, in microseconds since the epoch. */
export function dragTo(time: number): void {
  dragged.value = time;
}

/** Lets the cursor go where it is. */
export function letGo(): void {
  const time = dragged.value;
  if (time === undefined) return;
  const { key, answer } = loaded.value;
  dragged.value = undefined;
  show({ at: key === timeRevision(time) && answer !== undefined ? revisionOf(answer) : timeRevision(time) });
}

/** Shows the commit that is so many behind the one that is shown, or before it where negative. */
export function stepBy(count: number): void {
  const seq = loaded.value.answer?.seq;
  if (seq !== undefined) show({ at: `@{${String(Math.max(1, seq + count))}}` }, false);
}

/** Shows the tip, and goes on with it. */
export function showTip(): void {
  show({ at: undefined });
}

/** How a commit is named in an address. */
export function revisionOf({ seq, oid }: Pick<CommitSummaryJson, "seq" | "oid">): string {
  return seq === undefined ? oid : `@{${String(seq)}}`;
}

function timeRevision(time: number): string {
  return `@{${isoOf(time)}}`;
}

/**
 * The place that the address names, and the ways to another one.
 */
import { signal, type ReadonlySignal } from "@preact/signals";
// Takes the token out of the address.
import "../api/token.js";
import { parsePlace, serializePlace, type Members, type Place, type ViewName } from "./place.js";

let addressTimer: ReturnType<typeof setTimeout> | undefined;
const current = signal(parsePlace(location.hash));

/** Where the page is. */
export const place: ReadonlySignal<Place> = current;

/** Reads the address again, after it was changed without the browser saying so. */
function readAddress(): void {
  clearTimeout(addressTimer);
  addressTimer = undefined;
  current.value = parsePlace(location.hash);
}

// Steps back and forward among what `show` made tell `popstate` alone.
addEventListener("popstate", readAddress);
addEventListener("hashchange", readAddress);

/** The fragment of a view, for a link. */
export function linkTo(view: ViewName, members: Members = {}): string {
  return serializePlace({ view, members });
}

/** Goes to a view; the browser's way back leads from there. */
export function goTo(view: ViewName, members: Members = {}): void {
  location.hash = linkTo(view, members);
}

/** Browsers allow some hundred changes of the address in half a minute: what moves fast waits. */
const ADDRESS_MILLISECONDS = 250;

/** Shows something else in the same view. @param isStep - whether the browser's way back leads from there */
export function show(members: Members, isStep = true): void {
  const { view, members: before } = current.value;
  const fragment = serializePlace({ view, members: { ...before, ...members } });
  if (fragment === serializePlace(current.value)) return;
  if (isStep) {
    writeAddress();
    history.pushState(null, "", fragment);
  } else {
    clearTimeout(addressTimer);
    addressTimer = setTimeout(writeAddress, ADDRESS_MILLISECONDS);
  }
  current.value = parsePlace(fragment);
}

/** Has the address say where the page is, if that waits. */
function writeAddress(): void {
  if (addressTimer === undefined) return;
  clearTimeout(addressTimer);
  addressTimer = undefined;
  history.replaceState(null, "", serializePlace(current.value));
}

/**
 * The token that the daemon asks for by TCP.
 *
 * Owns where it is kept: in this tab, until it is closed. It comes in the address's fragment (`xs url` prints it so), which no
 * browser sends to anybody, and is taken out of the address at once, so that an address that is copied does not give it away.
 */
import { signal } from "@preact/signals";

const KEY = "xenstore-tng-token";
const IN_FRAGMENT = /^#token=([0-9a-f]+)&?/;

// Before anybody asks anything, or reads the address: whoever does imports this.
takeFromAddress();

/** The token; empty where none is known. */
export const token = signal(sessionStorage.getItem(KEY) ?? "");

/** Whether the daemon refused the token that there is, or the lack of one. */
export const isTokenWanted = signal(false);

/** Keeps a token. */
export function keepToken(text: string): void {
  sessionStorage.setItem(KEY, text);
  token.value = text;
  isTokenWanted.value = false;
}

function takeFromAddress(): void {
  const [start, found] = IN_FRAGMENT.exec(location.hash) ?? [];
  if (start === undefined || found === undefined) return;
  sessionStorage.setItem(KEY, found);
  const rest = location.hash.slice(start.length);
  history.replaceState(null, "", rest === "" ? location.pathname : `#${rest}`);
}

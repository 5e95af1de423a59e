/**
 * The token that the daemon asks for by TCP.
 *
 * Owns where it is kept: in this tab, until it is closed; another tab of this page is given it when it asks. It comes in the address's
 * fragment (`xs url` prints it so), which no browser sends to anybody, and is taken out of the address at once, so that an address that is
 * copied does not give it away.
 */
import { signal } from "@preact/signals";

const KEY = "xenstore-tng-token";
const IN_FRAGMENT = /^#token=([0-9a-f]{32})(?:&|$)/;
/** So long is waited for another tab. */
const OTHERS_MILLISECONDS = 150;

/** What tabs tell each other; no other origin's page hears it. */
type Told = { readonly kind: "wanted" } | { readonly kind: "token"; readonly token: string };
const tabs = new BroadcastChannel(KEY);

// Before anybody asks anything, or reads the address: whoever does imports this.
takeFromAddress();

/** The token; empty where none is known. */
export const token = signal(sessionStorage.getItem(KEY) ?? "");

/** Whether the daemon refused the token that there is, or the lack of one. */
export const isTokenWanted = signal(false);

/** Resolves when the token is known, or no other tab has told it. */
export const tokenLooked: Promise<void> = token.value === "" ? askOthers() : Promise.resolve();

tabs.addEventListener("message", ({ data }: MessageEvent<Told>) => {
  if (data.kind !== "wanted" || token.value === "" || isTokenWanted.value) return;
  tabs.postMessage({ kind: "token", token: token.value } satisfies Told);
});

// An address with a token that is put into a page that is open.
addEventListener("hashchange", () => {
  if (takeFromAddress()) location.reload();
});

/** Keeps a token. */
export function keepToken(text: string): void {
  sessionStorage.setItem(KEY, text);
  token.value = text;
  isTokenWanted.value = false;
}

function takeFromAddress(): boolean {
  const [start, found] = IN_FRAGMENT.exec(location.hash) ?? [];
  if (start === undefined || found === undefined) return false;
  sessionStorage.setItem(KEY, found);
  const rest = location.hash.slice(start.length);
  history.replaceState(null, "", rest === "" ? location.pathname : `#${rest}`);
  return true;
}

async function askOthers(): Promise<void> {
  const told = new Promise<void>((resolve) => {
    tabs.addEventListener("message", ({ data }: MessageEvent<Told>) => {
      if (data.kind !== "token" || token.value !== "") return;
      keepToken(data.token);
      resolve();
    });
  });
  tabs.postMessage({ kind: "wanted" } satisfies Told);
  await Promise.race([told, new Promise((resolve) => setTimeout(resolve, OTHERS_MILLISECONDS))]);
}

/**
 * Where the console listens for browsers.
 *
 * Owns the reading of `HOST:PORT`, and which addresses are the machine's own: others need TLS.
 */
import { isIP } from "node:net";

/** An address to listen at. */
export interface HttpAddress {
  /** An IPv4 or IPv6 address, without brackets. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

/** Where it listens unless told otherwise. */
export const DEFAULT_HTTP_ADDRESS: HttpAddress = { host: "127.0.0.1", port: 7437 };

const PORT_MAX = 65_535;

/** The address that a text names; undefined where it names none. */
export function parseHttpAddress(text: string): HttpAddress | undefined {
  const [, bracketed, plain, digits = ""] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+|localhost)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = plain === "localhost" ? DEFAULT_HTTP_ADDRESS.host : (bracketed ?? plain);
  const port = Number(digits);
  if (host === undefined || digits === "" || port > PORT_MAX) return undefined;
  return isIP(host) === (bracketed === undefined ? 4 : 6) ? { host, port } : undefined;
}

/** The address as a URL has it. */
export function formatHttpAddress({ host, port }: HttpAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${String(port)}`;
}

/** Whether only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

/**
 * The hosts under which a browser may ask at this address, in lower case; with their ports, and without where browsers leave it
 * out.
 */
export function hostsOf(
  { host, port }: HttpAddress,
  { names, scheme }: { readonly names: readonly string[]; readonly scheme: "http" | "https" },
): ReadonlySet<string> {
  const own = isLoopback(host) ? ["localhost", "127.0.0.1", "[::1]"] : [];
  const all = [host.includes(":") ? `[${host}]` : host, ...own, ...names].map((name) => name.toLowerCase());
  const isDefaultPort = port === (scheme === "https" ? 443 : 80);
  return new Set([...all.map((name) => `${name}:${String(port)}`), ...(isDefaultPort ? all : [])]);
}

/** Whether a text is a name by which it may be asked: of a host, or an address, without a port. */
export function isHostName(text: string): boolean {
  return /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/i.test(text);
}

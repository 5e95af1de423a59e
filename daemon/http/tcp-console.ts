/**
 * The console for browsers: by TCP, behind the guard.
 *
 * Owns the opening: the token, the certificate, the address.
 */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { messageOf } from "../platform/error-message.js";
import type { ConsolePorts } from "./console-ports.js";
import { createConsole } from "./console.js";
import { formatHttpAddress, hostsOf } from "./http-address.js";
import type { HttpConfig } from "./messages.js";
import { keepToken } from "./token-file.js";

/** It listens. */
export interface TcpConsole {
  /** Where. */
  readonly url: string;
  /** What whoever asks must have. */
  readonly token: string;
  close(): Promise<void>;
}

/** Listens. @throws in words for people */
export async function openTcp(ports: ConsolePorts, config: HttpConfig): Promise<TcpConsole> {
  const { address, names, tokenFile } = config;
  const tls = readTls(config);
  const scheme = tls === undefined ? "http" : "https";
  let hosts: ReadonlySet<string> = new Set();
  const token = tokenOf(tokenFile);
  const app = createConsole(ports, { tls, guard: { token, scheme, hosts: () => hosts } });
  try {
    await app.listen(address);
  } catch (error) {
    await app.close();
    throw new Error(`${formatHttpAddress(address)} cannot be listened at (--http): ${messageOf(error)}`, {
      cause: error,
    });
  }
  const { port } = app.server.address() as AddressInfo;
  const bound = { host: address.host, port };
  hosts = hostsOf(bound, { names, scheme });
  // Its certificate is for its name.
  const [name] = names;
  const place = name === undefined ? formatHttpAddress(bound) : `${name}:${String(port)}`;
  return { url: `${scheme}://${place}/`, token, close: () => app.close() };
}

function tokenOf(file: string): string {
  try {
    return keepToken(file);
  } catch (error) {
    throw new Error(`the token cannot be kept in ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function readTls({ tls }: HttpConfig): { readonly cert: string; readonly key: string } | undefined {
  if (tls === undefined) return undefined;
  try {
    return { cert: readFileSync(tls.certFile, "utf8"), key: readFileSync(tls.keyFile, "utf8") };
  } catch (error) {
    throw new Error(`certificate or key cannot be read (--http-cert, --http-key): ${messageOf(error)}`, {
      cause: error,
    });
  }
}

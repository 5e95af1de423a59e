/**
 * The reactor's native half, where it was built.
 *
 * Owns where the addon is found and what its functions are; `reactor.c` says what they do.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { messageOf } from "../../platform/error-message.js";

/** The functions of `reactor.c`. A connection or listener is told by its slot and its generation. */
export interface ReactorAddon {
  /** See `INTERFACE`. */
  readonly interface: number;
  start(records: Int32Array, sends: Int32Array, callback: (input: string, count: number) => void): void;
  listen(path: string, backlog: number, id: number): readonly [slot: number, generation: number];
  send(bytes: string, count: number): void;
  pendingBytes(slot: number, generation: number): number;
  read(slot: number, generation: number, isRead: boolean): boolean;
  finish(slot: number, generation: number): boolean;
  close(slot: number, generation: number): void;
}

/** As in `reactor.c`: an addon that was built from other sources may stand where these are. */
const INTERFACE = 2;

/** Below the package's directory, for the sources and for the built program alike. */
const FILE = "daemon/server/reactor/build/Release/reactor.node";

let loaded: ReactorAddon | string | undefined;

/** The addon, or why there is none, as text for people. */
export function loadReactorAddon(): ReactorAddon | string {
  loaded ??= load();
  return loaded;
}

function load(): ReactorAddon | string {
  const file = findFile();
  if (file === undefined) return `${FILE} is not there: "npm rebuild" builds it where there is a C compiler`;
  try {
    return loadAddonFile(file);
  } catch (error) {
    return `${file} cannot be loaded: ${messageOf(error)}`;
  }
}

/** The addon in a file; throws when it is none, or was built from other sources than these. */
export function loadAddonFile(file: string): ReactorAddon {
  const addon = createRequire(import.meta.url)(file) as ReactorAddon;
  if (addon.interface === INTERFACE) return addon;
  throw new Error('it was built for another version of this package: "npm rebuild" builds it anew');
}

function findFile(): string | undefined {
  for (const top of ["../../../", "../../../../"]) {
    const file = fileURLToPath(new URL(top + FILE, import.meta.url));
    if (existsSync(file)) return file;
  }
  return undefined;
}

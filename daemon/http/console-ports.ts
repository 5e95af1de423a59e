/**
 * What the console is given.
 */
import type { History } from "../history/query/history.js";
import type { Clock } from "../platform/clock.js";
import type { FileSystem } from "../platform/file-system.js";
import type { DaemonLink } from "./messages.js";

/** Whether browsers reach the console. */
export type BrowserReach =
  | { readonly url: string; readonly token: string }
  /** They were to; the reason why they do not is for people. */
  | { readonly problem: string };

/** What a console works with. */
export interface ConsolePorts {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly repositoryDirectory: string;
  /** Of that repository. */
  readonly history: History;
  readonly daemon: DaemonLink;
  readonly clock: Clock;
  /** FILE of the request trace, absolute; undefined where there is none. */
  readonly traceFile?: string | undefined;
  /** Where the explorer's files are, absolute; undefined where they are nowhere. */
  readonly explorerDirectory?: string | undefined;
  /** Where browsers reach the console; nowhere unless given. */
  readonly browsers?: (() => Promise<BrowserReach | undefined>) | undefined;
  /** Told what failed by a mistake of ours. */
  readonly failed: (text: string) => void;
}

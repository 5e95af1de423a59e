/**
 * What the console is given.
 */
import type { History } from "../history/query/history.js";
import type { Clock } from "../platform/clock.js";
import type { FileSystem } from "../platform/file-system.js";
import type { DaemonLink } from "./messages.js";

/** What a console works with. */
export interface ConsolePorts {
  readonly fileSystem: FileSystem;
  /** Absolute. */
  readonly repositoryDirectory: string;
  /** Of that repository. */
  readonly history: History;
  readonly daemon: DaemonLink;
  readonly clock: Clock;
  /** Told what failed by a mistake of ours. */
  readonly failed: (text: string) => void;
}

/**
 * The daemons that the client's interop tests run against: ours, and a real xenstored when one is configured.
 */
import { configuredPeer, startDaemon, startPeer, type DaemonProcess } from "../support/daemon-process.js";

/** A daemon to test against. */
export interface Target {
  readonly name: string;
  /** Whether it cannot be started here; the title of a skipped suite says how it could. */
  readonly isMissing: boolean;
  readonly start: () => Promise<DaemonProcess>;
}

const peer = configuredPeer();

/** The daemons to test against. */
export const targets: readonly Target[] = [
  { name: "our daemon", isMissing: false, start: () => startDaemon() },
  {
    name: peer === undefined ? "a real xenstored (XENSTORE_PEER_COMMAND is not set)" : `the peer ${peer.kind}`,
    isMissing: peer === undefined,
    start: startPeer,
  },
];

/**
 * A daemon without a journal and without history: `node … null-journal-daemon.js --dir DIR …`.
 *
 * Owns nothing but the sockets of a daemon in memory, whose commits nobody takes. It is what the real daemon is measured
 * against: the difference is what acknowledging and recording cost.
 */
import { runMemoryDaemon } from "./memory-daemon-process.js";

await runMemoryDaemon(() => () => undefined);

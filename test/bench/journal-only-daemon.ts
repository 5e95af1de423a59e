/**
 * A daemon with a journal and without history: `node … journal-only-daemon.js --dir DIR …`.
 *
 * Owns the sockets of a daemon in memory whose commits go to a journal that nobody follows. Between the daemon without a
 * journal and the real one it tells what acknowledging costs from what recording costs. Takes the daemon's flags and looks
 * at `--dir` alone.
 */
import { join } from "node:path";
import type { Seq } from "../../protocol/identifiers.js";
import { openJournal } from "../../daemon/journal/journal.js";
import { nodeFileSystem } from "../../daemon/platform/node-file-system.js";
import { runMemoryDaemon } from "./memory-daemon-process.js";

/** So many commits stay in the journal, as if all before them were sealed. */
const COMMITS_KEPT = 100_000;

await runMemoryDaemon((directory) => {
  const { journal } = openJournal({
    fileSystem: nodeFileSystem,
    directory: join(directory, "state", "journal"),
    after: 0 as Seq,
    durability: "process",
  });
  let discarded = 0;
  return (commits) => {
    const { seq } = journal.append(commits);
    if (seq < discarded + COMMITS_KEPT) return;
    journal.discardThrough(discarded as Seq);
    discarded = seq;
  };
});

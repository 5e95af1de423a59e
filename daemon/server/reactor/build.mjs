/**
 * Builds the reactor's native half when the package is installed, where there is a C compiler.
 *
 * Without one the daemon works all the same, its sockets carried by node-ipc: so this says so in one line and never fails.
 * Plain JavaScript, because it runs before anything else of the package does.
 */
import { spawnSync } from "node:child_process";
import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The headers of this very Node, where they were installed with it: else node-gyp gets them from where Node comes from. */
function installedHeaders() {
  const prefix = dirname(dirname(process.execPath));
  return existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
}

/** npm tells its scripts where its own node-gyp is. */
function nodeGyp() {
  const script = process.env.npm_config_node_gyp;
  return script === undefined ? ["node-gyp"] : [process.execPath, script];
}

/** The last thing that node-gyp complained about. */
function reasonOf({ error, stderr }) {
  if (error !== undefined) return error.message;
  const complaints = stderr.split("\n").filter((line) => /error|not found|gyp ERR! stack/i.test(line));
  return complaints[0]?.trim() ?? "node-gyp failed";
}

/** Longest that it takes: headers come over the network where they are not installed, and some networks swallow requests. */
const TIMEOUT_MILLISECONDS = 120_000;

const directory = dirname(fileURLToPath(import.meta.url));
// An earlier build stays where a new one cannot be made; whether it fits these sources, the daemon looks when it loads it.
const [build, earlier] = [join(directory, "build"), join(directory, "build.earlier")];
rmSync(earlier, { recursive: true, force: true });
if (existsSync(build)) renameSync(build, earlier);
const [program, ...words] = nodeGyp();
const result = spawnSync(program, [...words, "rebuild", ...installedHeaders()], {
  cwd: directory,
  encoding: "utf8",
  timeout: TIMEOUT_MILLISECONDS,
});
if (result.status === 0) rmSync(earlier, { recursive: true, force: true });
else {
  const isEarlierThere = existsSync(earlier);
  rmSync(build, { recursive: true, force: true });
  if (isEarlierThere) renameSync(earlier, build);
  const instead = isEarlierThere ? "an earlier build stays" : "sockets go through node-ipc, which is slower";
  const text = `xenstore-tng: the native reactor was not built (${reasonOf(result)}); ${instead}`;
  process.stdout.write(`${text}. "npm rebuild" tries again.\n`);
}

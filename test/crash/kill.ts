/**
 * A campaign of kills: `npm run crash:kill -- --rounds 10000 [--seed N] [--durability power] [--fork] [--directory /dev/shm]`.
 *
 * Owns the command line. A line of progress for every ten rounds; ends with code 1, the seed and the kept state when a
 * promise was broken.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { buildDaemon } from "../support/built-daemon.js";
import { runKillRounds } from "./kill-rounds.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 0x7fffffff)) },
    durability: { type: "string", default: "process" },
    directory: { type: "string", default: tmpdir() },
    fork: { type: "boolean", default: false },
  },
});
if (values.durability !== "process" && values.durability !== "power") {
  throw new Error("--durability is process or power: `none` promises nothing that a kill could break");
}
const build = mkdtempSync(join(tmpdir(), "xs-build-"));
process.on("exit", () => {
  rmSync(build, { recursive: true, force: true });
});
console.log(`--rounds ${values.rounds} --seed ${values.seed} --durability ${values.durability}`);
const started = performance.now();
const outcome = await runKillRounds({
  rounds: Number(values.rounds),
  seed: Number(values.seed),
  durability: values.durability,
  command: buildDaemon(build),
  directory: values.directory,
  hasFork: values.fork,
  roundsPerGitCheck: 10,
  roundsPerStore: 50,
  report: (line) => {
    console.log(`${((performance.now() - started) / 1000).toFixed(0)} s ${line}`);
  },
});
console.log(`nothing was lost: ${JSON.stringify(outcome)}`);

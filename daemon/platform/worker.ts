/**
 * Starts worker threads from this project's modules, whether they run from TypeScript or built.
 *
 * Owns the bootstrap and nothing of what the workers do. A worker that starts from a `.ts` module has no loader for it:
 * neither tsx nor vitest hands its own on, and `execArgv` with `--import tsx` does not do it in a worker. So such a worker
 * starts from a `data:` module that registers tsx and then imports the real one.
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";

/**
 * V8 would let the young generation of each thread grow to 48 MiB, most of it garbage. With this limit, the one that the
 * built daemon gives its main thread too (three semi-spaces of 4 MiB), the daemon with 100,000 nodes measured a quarter
 * less resident memory; half of it saves another 8 MiB and costs a recorder a tenth of its speed.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 12 } as const;

/**
 * Starts a worker thread that runs a module.
 *
 * @param moduleUrl - the module as the built program calls it: `new URL("./recorder-worker.js", import.meta.url)`. Where
 *   only its `.ts` source exists, that runs.
 * @param workerData - what the module finds as `workerData` of `node:worker_threads`; must be cloneable
 */
export function startWorker(moduleUrl: URL, workerData: unknown): Worker {
  const source = sourceOf(moduleUrl);
  const options = { workerData, resourceLimits };
  if (!source.pathname.endsWith(".ts")) return new Worker(source, options);
  // Resolved here, because a data: module cannot import packages by name.
  const tsx = import.meta.resolve("tsx/esm/api");
  const bootstrap = `import { register } from ${JSON.stringify(tsx)}; register(); await import(${JSON.stringify(source.href)});`;
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(bootstrap)}`), { ...options, execArgv: [] });
}

/** The `.ts` source of a `.js` module that does not exist, otherwise the module itself. */
function sourceOf(moduleUrl: URL): URL {
  if (!moduleUrl.pathname.endsWith(".js") || existsSync(fileURLToPath(moduleUrl))) return moduleUrl;
  const source = new URL(moduleUrl);
  source.pathname = `${source.pathname.slice(0, -".js".length)}.ts`;
  return existsSync(fileURLToPath(source)) ? source : moduleUrl;
}

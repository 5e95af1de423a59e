/**
 * How the tests run.
 *
 * Owns the test runner's settings. Each file runs in a child process (`forks`): tests start worker threads and sockets
 * of their own and set V8 flags, which nested worker threads would share. `LONG=1` (`npm run test:long`) multiplies the
 * runs of the random tests, see `test/support/seed.ts`, and gives them the time.
 */
import { defineConfig } from "vitest/config";

const long = process.env["LONG"] === "1";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 2,
    testTimeout: long ? 1_800_000 : 30_000,
    hookTimeout: 30_000,
    teardownTimeout: 10_000,
    // A failure must show the whole wire text and not the first forty characters of it.
    chaiConfig: { truncateThreshold: 2000 },
    restoreMocks: true,
    unstubEnvs: true,
  },
});

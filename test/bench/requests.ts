/**
 * How many requests one client gets answered.
 */
import { withBenchDaemon } from "./daemon.js";
import { type Benchmark } from "./figures.js";
import { connect, runLoad } from "./load.js";

const VALUE = "0123456789abcdef0123456789abcdef";

/** READ and WRITE on one connection, 64 in flight. */
export const benchRequests: Benchmark = () =>
  withBenchDaemon(async (daemon) => {
    const socket = await connect(daemon.socket);
    const count = 100_000;
    const figures: Record<string, number> = {};
    const loads = [
      { operation: "WRITE", payload: (index: number) => `/bench/k${String(index % 8)}\0${VALUE}` },
      { operation: "READ", payload: (index: number) => `/bench/k${String(index % 8)}\0` },
    ] as const;
    for (const { operation, payload } of loads) {
      const start = performance.now();
      await runLoad(socket, { operation, count, depth: 64, payload });
      figures[`${operation.toLowerCase()}sPerSecond`] = Math.round((count * 1000) / (performance.now() - start));
    }
    socket.destroy();
    return figures;
  });

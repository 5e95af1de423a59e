/**
 * How much memory the daemon takes with many clients.
 */
import { withBenchDaemon } from "./daemon.js";
import { mebibytes, type Benchmark } from "./figures.js";
import { connect, runLoad } from "./load.js";

/** 4,000 connections open at once, each with one request answered. */
export const benchConnections: Benchmark = () =>
  withBenchDaemon(async (daemon) => {
    const count = 4000;
    const before = daemon.residentBytes();
    const sockets = [];
    for (let index = 0; index < count; index++) {
      const socket = await connect(daemon.socket);
      await runLoad(socket, { operation: "READ", count: 1, depth: 1, payload: () => "/\0" });
      sockets.push(socket);
    }
    const after = daemon.residentBytes();
    for (const socket of sockets) socket.destroy();
    return { connections: count, emptyMebibytes: mebibytes(before), openMebibytes: mebibytes(after) };
  });

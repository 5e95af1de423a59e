/**
 * The part of node-ipc 12.0.0 that this project uses; the package ships no types.
 */
declare module "node-ipc" {
  import type { Server as NetServer, Socket } from "node:net";

  interface Config {
    id: string;
    silent: boolean;
    rawBuffer: boolean;
    encoding: BufferEncoding;
    unlink: boolean;
    maxConnections: number;
  }

  interface Server {
    /** The socket behind it; false before `start`. */
    readonly server: NetServer | false;
    /** Accepted sockets; node-ipc drops a closed one from here when it learns of the closing. */
    readonly sockets: Socket[];
    on(event: "connect", handler: (socket: Socket) => void): this;
    on(event: "error", handler: (error: unknown) => void): this;
    start(): void;
    stop(): void;
  }

  /** One instance: a process that serves several sockets makes one for each. */
  export class IPCModule {
    readonly config: Config;
    readonly server: Server;
    serve(path: string, started: () => void): void;
  }
}

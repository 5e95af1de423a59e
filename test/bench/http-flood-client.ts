/**
 * The flood of `bench -- http-flood`: a process of its own, `http-flood-client.ts URL TOKEN`, that ends when its input does.
 *
 * Owns the requests: many fast ones on some connections, and many connections that are slow. Says `begun`, and at the end what
 * was answered, each in a line.
 */
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";

const REQUESTS_PER_SECOND = 1000;
const TICK_MILLISECONDS = 10;
const SLOW_CLIENTS = 200;
/** So often a slow client sends its next byte. */
const SLOW_MILLISECONDS = 500;
const PATHS = [
  "/v1/log?limit=20",
  "/v1/commit",
  "/v1/tree?limit=100",
  "/v1/connections",
  "/v1/node?path=/local",
  "/v1/refs",
];

const [url = "", token = ""] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: 50 });
const answers: Record<string, number> = {};
let asked = 0;
let isOver = false;

function count(status: string): void {
  answers[status] = (answers[status] ?? 0) + 1;
}

function ask(): void {
  const path = PATHS[asked++ % PATHS.length] ?? "/";
  const headers = { authorization: `Bearer ${token}` };
  request({ hostname, port, path, headers, agent }, (response) => {
    count(String(response.statusCode));
    response.resume();
  })
    .on("error", () => {
      if (!isOver) count("Failed");
    })
    .end();
}

function slowClient(): Socket {
  const socket = connect(Number(port), hostname);
  const text = `GET /v1/log HTTP/1.1\r\nHost: ${hostname}:${port}\r\nX-Slow: ${"x".repeat(1000)}`;
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < text.length) socket.write(text.charAt(sent++));
  }, SLOW_MILLISECONDS);
  socket.on("error", () => undefined);
  socket.on("close", () => {
    clearInterval(timer);
  });
  socket.resume();
  return socket;
}

const slow = Array.from({ length: SLOW_CLIENTS }, slowClient);
const begin = performance.now();
const perTick = (REQUESTS_PER_SECOND * TICK_MILLISECONDS) / 1000;
const pace = setInterval(() => {
  const due = ((performance.now() - begin) / 1000) * REQUESTS_PER_SECOND;
  // Who is late makes up for some of it, so that the rate is what it is called.
  for (let each = 0; each < 2 * perTick && asked < due; each++) ask();
}, TICK_MILLISECONDS);
process.stdout.write("begun\n");
process.stdin.resume().on("end", () => {
  isOver = true;
  clearInterval(pace);
  const seconds = (performance.now() - begin) / 1000;
  process.stdout.write(`${JSON.stringify({ seconds, asked, answers })}\n`);
  for (const socket of slow) socket.destroy();
  agent.destroy();
});

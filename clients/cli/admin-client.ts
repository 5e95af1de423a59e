/**
 * The client of the daemon's admin socket: HTTP with JSON over a Unix socket.
 *
 * Owns the requests and what becomes of a refusal: a problem document (RFC 9457) with status 400, 404 or 413 is a QueryError, one
 * with 409 a ConflictError, with the problem's detail, which is for people.
 */
import { request } from "node:http";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";

/** What a question's members may be. */
type Parameters = Readonly<Record<string, string | number | boolean | undefined>>;

/** Talks to one daemon. */
export interface AdminClient {
  /** @throws QueryError when the daemon refuses; AdminError when it cannot be reached or fails */
  get<Answer>(path: string, query: object): Promise<Answer>;
  /** The same, for an answer that is text. */
  text(path: string): Promise<string>;
  /** The same, with a JSON body. */
  send<Answer>(method: "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<Answer>;
}

/** The daemon could not be reached, or failed. */
export class AdminError extends Error {
  override readonly name: string = "AdminError";
}

/** Nobody answers, perhaps because the daemon is being started again. */
export class NoAnswerError extends AdminError {
  override readonly name = "NoAnswerError";
}

/** Takes what an answer warns of (`Warning`, RFC 9111), in words for people, also where the answer is a refusal. */
export type Warn = (warning: string) => void;

/** A client of the admin socket at this path. It keeps no connection. */
export function adminClient(socketPath: string, warn: Warn = () => undefined): AdminClient {
  const daemon = { socketPath, warn };
  return {
    get: (path, query) => exchange(daemon, { method: "GET", path: path + searchOf(query as Parameters) }),
    text: async (path) => await exchangeText(daemon, { method: "GET", path }),
    send: (method, path, body) => exchange(daemon, { method, path, body }),
  };
}

interface Daemon {
  readonly socketPath: string;
  readonly warn: Warn;
}

function searchOf(query: Parameters): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
  return search.size === 0 ? "" : `?${search.toString()}`;
}

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly body?: object | undefined;
}

async function exchange<Answer>(daemon: Daemon, asked: Exchange): Promise<Answer> {
  const text = await exchangeText(daemon, asked);
  return (text === "" ? undefined : JSON.parse(text)) as Answer;
}

async function exchangeText({ socketPath, warn }: Daemon, { method, path, body }: Exchange): Promise<string> {
  const { status, text } = await new Promise<{ readonly status: number; readonly text: string }>((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const sent = request({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      const warning = warningIn(response.headers["warning"]);
      if (warning !== undefined) warn(warning);
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") });
      });
    });
    sent.on("error", (error) => {
      reject(new NoAnswerError(`the daemon at ${socketPath} does not answer: ${error.message}`, { cause: error }));
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
  if (status >= 200 && status < 300) return text;
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  const detail = detailOf(answer) ?? `it answered ${String(status)}`;
  if (status === 400 || status === 404 || status === 413) throw new QueryError(detail);
  if (status === 409) throw new ConflictError(detail, conflictsOf(answer));
  throw new AdminError(`the daemon at ${socketPath} failed: ${detail}`);
}

const WARNING = /^199 - ("(?:[^"\\]|\\.)*")$/;

function warningIn(header: string | undefined): string | undefined {
  const quoted = WARNING.exec(header ?? "")?.[1];
  return quoted === undefined ? undefined : String(JSON.parse(quoted));
}

function conflictsOf(problem: unknown): string[] {
  if (typeof problem !== "object" || problem === null || !("conflicts" in problem)) return [];
  return Array.isArray(problem.conflicts) ? problem.conflicts.map(String) : [];
}

function detailOf(problem: unknown): string | undefined {
  if (typeof problem !== "object" || problem === null || !("detail" in problem)) return undefined;
  return typeof problem.detail === "string" ? problem.detail : undefined;
}

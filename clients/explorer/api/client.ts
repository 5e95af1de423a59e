/**
 * Asks the daemon that served this page.
 *
 * Owns how questions become requests and problem documents errors. Answers are not checked: page and daemon are of one version.
 */
import type { HistoryAnswers, HistoryQuestion } from "../../../protocol/http-api/history-queries.js";
import { HISTORY_ROUTES } from "../../../protocol/http-api/history-queries.js";
import type { Problem } from "../../../protocol/http-api/problem.js";
import { signal } from "@preact/signals";
import { Pace } from "./pace.js";
import { isTokenWanted, token, tokenLooked } from "./token.js";

/** What the members of a question may be; those that are undefined are left out. */
export type Query = Readonly<Record<string, string | number | undefined>>;

/** The daemon refused, or could not be asked. The message is for people. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** Of HTTP; 0 where there was no answer. */
  readonly status: number;
  /** Each in words. */
  readonly conflicts: readonly string[];

  constructor(status: number, message: string, conflicts: readonly string[] = []) {
    super(message);
    this.status = status;
    this.conflicts = conflicts;
  }
}

/** Why the last answer is not as of now, where the history is behind; undefined where it is. */
export const historyTrouble = signal<string | undefined>(undefined);

const pace = new Pace({
  now: () => performance.now(),
  delay: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
});

/** Asks about the history. @throws ApiError */
export async function ask<Question extends HistoryQuestion>(
  question: Question,
  query: HistoryAnswers[Question]["query"],
  ended?: AbortSignal,
): Promise<HistoryAnswers[Question]["answer"]> {
  return await get(HISTORY_ROUTES[question], query as Query, ended);
}

/** Asks at a route. @throws ApiError */
export async function get<Answer>(route: string, query: Query = {}, ended?: AbortSignal): Promise<Answer> {
  return await pace.run(async () => {
    const response = await request(addressOf(route, query), ended === undefined ? {} : { signal: ended });
    historyTrouble.value = warningOf(response);
    return (await response.json()) as Answer;
  });
}

/** Has something done. @throws ApiError */
export async function send<Answer>(method: "POST" | "PUT", route: string, body: object): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await request(route, { method, headers, body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

/** A response that was not refused. @throws ApiError */
export async function request(address: string, init: RequestInit): Promise<Response> {
  await tokenLooked;
  const headers = new Headers(init.headers);
  if (token.value !== "") headers.set("authorization", `Bearer ${token.value}`);
  let response: Response;
  try {
    response = await fetch(address, { ...init, headers });
  } catch (error) {
    if (init.signal?.aborted === true) throw error;
    throw new ApiError(0, "the daemon does not answer: it has stopped, or cannot be reached from here");
  }
  if (response.ok) return response;
  if (response.status === 401) isTokenWanted.value = true;
  throw await errorOf(response);
}

/** A route with a question. */
export function addressOf(route: string, query: Query): string {
  const members = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) members.set(name, String(value));
  const text = members.toString();
  return text === "" ? route : `${route}?${text}`;
}

/** Words for people, of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether a question that was refused so may be answered a moment later. */
export function mayPass(error: unknown): boolean {
  return error instanceof ApiError && [0, 429, 503].includes(error.status);
}

/** The text of a `Warning` (RFC 7234, 5.5). */
function warningOf(response: Response): string | undefined {
  const [, quoted] = /^199 - ("(?:[^"\\]|\\.)*")$/.exec(response.headers.get("warning") ?? "") ?? [];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string);
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { detail, title, conflicts } = (await response.json()) as Partial<Problem>;
    return new ApiError(response.status, detail ?? title ?? response.statusText, conflicts);
  } catch {
    return new ApiError(response.status, `the daemon answered ${String(response.status)} ${response.statusText}`);
  }
}

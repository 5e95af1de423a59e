/**
 * Asks the daemon that served this page.
 *
 * Owns how questions become requests and problem documents errors. Answers are not checked: page and daemon are of one version.
 */
import type { HistoryAnswers, HistoryQuestion } from "../../../protocol/http-api/history-queries.js";
import { HISTORY_ROUTES } from "../../../protocol/http-api/history-queries.js";
import type { Problem } from "../../../protocol/http-api/problem.js";
import { isTokenWanted, token } from "./token.js";

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
  const response = await request(addressOf(route, query), ended === undefined ? {} : { signal: ended });
  return (await response.json()) as Answer;
}

/** Has something done. @throws ApiError */
export async function send<Answer>(method: "POST" | "PUT", route: string, body: object): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  const response = await request(route, { method, headers, body: JSON.stringify(body) });
  return (await response.json()) as Answer;
}

/** A response that was not refused. @throws ApiError */
export async function request(address: string, init: RequestInit): Promise<Response> {
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

async function errorOf(response: Response): Promise<ApiError> {
  try {
    const { detail, title, conflicts } = (await response.json()) as Partial<Problem>;
    return new ApiError(response.status, detail ?? title ?? response.statusText, conflicts);
  } catch {
    return new ApiError(response.status, `the daemon answered ${String(response.status)} ${response.statusText}`);
  }
}

/**
 * The description of the HTTP API (OpenAPI 3.1).
 *
 * Owns what it says beside the routes' own schemas: what a route is for, and what it answers. Questions are described by what checks
 * them; answers by the types of `protocol/http-api/`, out of which `npm run schemas` makes `answer-schemas.ts`, comments and
 * all. Nothing is left out of an answer because its schema lacks it.
 */
import swagger from "@fastify/swagger";
import type { FastifyInstance, FastifySchema } from "fastify";
import { DESCRIPTION_ROUTE } from "../../protocol/http-api/description.js";
import { packageVersion } from "../platform/package-version.js";
import { ANSWER_SCHEMAS, type AnswerName } from "./answer-schemas.js";
import { PROBLEM_TYPE } from "./problem.js";

/** The groups of routes, with what they are about. */
const TAGS = {
  history: "What has been, as of any commit.",
  changes: "Going back, undoing, and giving names.",
  tree: "Writing as clients of the wire protocol do.",
  live: "What goes on, and what is in no commit.",
  forks: "Other branches, live beside main.",
} as const;

/** A group. */
export type ApiTag = keyof typeof TAGS;

/** What is told of a route. */
export interface Told {
  readonly tag: ApiTag;
  readonly summary: string;
  /** The answer's type. */
  readonly answer: AnswerName;
  /** Where it is not JSON. */
  readonly mediaType?: string;
}

/** The part of a route's schema that only describes. */
export function told({ tag, summary, answer, mediaType }: Told): FastifySchema {
  const schema = { $ref: `${answer}#` };
  const problem = { description: "Why not", content: { [PROBLEM_TYPE]: { schema: { $ref: "Problem#" } } } };
  const described = { description: answer, ...schema };
  const stream = { description: answer, content: { [mediaType ?? ""]: { schema } } };
  return {
    tags: [tag],
    summary,
    response: { 200: mediaType === undefined ? described : stream, "4xx": problem },
  };
}

/** Has all routes that are registered behind it described at `DESCRIPTION_ROUTE`. */
export function describeRoutes(app: FastifyInstance): void {
  for (const [name, schema] of Object.entries(ANSWER_SCHEMAS)) app.addSchema({ $id: name, ...schema });
  // The answers' schemas only describe.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  void app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "xenstore-tng",
        description: "A XenStore daemon that remembers. By TCP all of it needs the token in RUN/http-token.",
        version: packageVersion(import.meta.url),
      },
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    refResolver: { buildLocalReference: (json, _baseUri, _fragment, index) => nameOf(json["$id"], index) },
  });
  void app.register((routes, _options, done) => {
    routes.get(DESCRIPTION_ROUTE, { schema: { hide: true } }, () => app.swagger());
    done();
  });
}

function nameOf(id: unknown, index: number): string {
  return typeof id === "string" ? id : `schema${String(index)}`;
}

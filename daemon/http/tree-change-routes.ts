/**
 * The routes that change the tree as clients of the wire protocol do.
 *
 * Owns the way from JSON to requests on the tree, and from what became of them to what is told. What could not be asked, or
 * answered, on the wire is refused here: a value that no client could read must not come to be.
 */
import type { FastifyInstance, FastifyPluginCallback, FastifyRequest } from "fastify";
import { bytesFromText, flattenBytes, textFromBytes } from "../../protocol/bytes.js";
import { ConflictError, QueryError } from "../../protocol/http-api/history-queries.js";
import {
  TRANSACTION_ITEMS_MAX,
  TRANSACTIONS_ROUTE,
  TREE_CHANGE_ROUTE,
  WRITE_BYTES_MAX,
  type NodePut,
  type NodeRead,
  type TransactionRequest,
  type TreeWrite,
  type WriteAnswer,
} from "../../protocol/http-api/tree-changes.js";
import { valueFromJson, type ValueJson } from "../../protocol/http-api/value.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import { internPerms, parsePerms, serializePerms } from "../../protocol/perms.js";
import { queriedPath } from "../history/query/queried-path.js";
import { MAIN_BRANCH } from "../history/query/refs.js";
import { linkOf } from "./branch-link.js";
import type { ConsolePorts } from "./console-ports.js";
import { refusedChange } from "./made-change.js";
import type { RequestsOrder, TreeChange } from "./messages.js";
import { UnavailableError } from "./problem.js";
import { told } from "./openapi.js";
import { BRANCH_QUERY, NODE_VALUE, PERMS, TEXT, type BranchQuery } from "./schemas.js";

/** The routes. */
export function treeChangeRoutes(ports: ConsolePorts): FastifyPluginCallback {
  return (app, _options, done) => {
    addPut(app, ports);
    addDelete(app, ports);
    addTransactions(app, ports);
    done();
  };
}

interface PathParameter {
  readonly "*": string;
}

const PATH_PARAMETER = {
  type: "object",
  properties: {
    "*": { type: "string", maxLength: XENSTORE_PAYLOAD_MAX, description: "The path, without its first slash." },
  },
} as const;

function addPut(app: FastifyInstance, ports: ConsolePorts): void {
  const body = {
    type: "object",
    properties: { ...NODE_VALUE, perms: PERMS },
    minProperties: 1,
    additionalProperties: false,
  };
  app.put<{ Body: NodePut; Params: PathParameter; Querystring: BranchQuery }>(
    `${TREE_CHANGE_ROUTE}*`,
    {
      schema: {
        ...told({ tag: "tree", summary: "Write a node, or its perms", answer: "WriteAnswer" }),
        body,
        params: PATH_PARAMETER,
        querystring: BRANCH_QUERY,
      },
    },
    async (request) => {
      const path = `/${request.params["*"]}`;
      const { perms, ...value } = request.body;
      const writes: TreeWrite[] = [];
      if (hasValue(value)) writes.push({ op: "write", path, ...value });
      if (perms !== undefined) writes.push({ op: "setPerms", path, perms });
      return await change(ports, request, { writes, branch: request.query.branch });
    },
  );
}

function addDelete(app: FastifyInstance, ports: ConsolePorts): void {
  app.delete<{ Params: PathParameter; Querystring: BranchQuery }>(
    `${TREE_CHANGE_ROUTE}*`,
    {
      schema: {
        ...told({ tag: "tree", summary: "Remove a node, and what is below", answer: "WriteAnswer" }),
        params: PATH_PARAMETER,
        querystring: BRANCH_QUERY,
      },
    },
    async (request) => {
      const write = { op: "rm", path: `/${request.params["*"]}` } as const;
      return await change(ports, request, { writes: [write], branch: request.query.branch });
    },
  );
}

function addTransactions(app: FastifyInstance, ports: ConsolePorts): void {
  const read = {
    type: "object",
    properties: { path: TEXT, ...NODE_VALUE, absent: { type: "boolean", const: true } },
    required: ["path"],
    additionalProperties: false,
  };
  const write = {
    type: "object",
    properties: { op: { enum: ["write", "mkdir", "rm", "setPerms"] }, path: TEXT, ...NODE_VALUE, perms: PERMS },
    required: ["op", "path"],
    additionalProperties: false,
  };
  const properties = {
    reads: { type: "array", items: read, maxItems: TRANSACTION_ITEMS_MAX },
    writes: { type: "array", items: write, minItems: 1, maxItems: TRANSACTION_ITEMS_MAX },
    branch: TEXT,
  };
  const body = { type: "object", properties, required: ["writes"], additionalProperties: false };
  app.post<{ Body: TransactionRequest }>(
    TRANSACTIONS_ROUTE,
    { schema: { ...told({ tag: "tree", summary: "All of some writes, or none", answer: "WriteAnswer" }), body } },
    async (request) => await change(ports, request, request.body),
  );
}

async function change(
  ports: ConsolePorts,
  request: FastifyRequest,
  { reads = [], writes, branch = MAIN_BRANCH }: TransactionRequest,
): Promise<WriteAnswer> {
  const requests = writes.map((write, place) => treeChange(write, `write ${String(place + 1)}`));
  const expected = reads.map((read, place) => expectation(read, `read ${String(place + 1)}`));
  const answer = await linkOf(ports, branch).ask("requests", { client: clientOf(request), expected, requests });
  switch (answer.outcome) {
    case "committed":
      return { outcome: "committed", branch, seq: answer.seq };
    case "unchanged":
      return { outcome: "unchanged", branch };
    case "unexpected":
      throw new ConflictError(
        "the store is not as it was expected: nothing was done",
        answer.places.map((place) => textFromBytes(expected[place]?.path ?? "")),
      );
    case "failed": {
      const failed = requests[answer.place];
      const what = failed === undefined ? "a request" : `${failed.operation} ${textFromBytes(failed.path)}`;
      const told = `${what} is answered ${answer.error}: nothing was done`;
      throw answer.error === "EINVAL" ? new QueryError(told) : new ConflictError(told, []);
    }
    case "full":
      throw new UnavailableError(
        "the history is too far behind for more changes at this moment: try again in a second",
      );
    case "refused":
      throw refusedChange(answer.error);
  }
}

/** How the history names who asks. */
function clientOf({ socket }: FastifyRequest): string {
  const { remoteAddress, remotePort } = socket;
  // Clients of a Unix socket have no address.
  return remoteAddress === undefined || remotePort === undefined
    ? "http-admin"
    : `http-${remoteAddress}:${String(remotePort)}`;
}

/** @param name - what the write is called where it makes no sense */
function treeChange(write: TreeWrite, name: string): TreeChange {
  const path = queriedPath(write.path);
  const { op } = write;
  const { perms: texts, ...rest } = write as { readonly perms?: readonly string[] } & Partial<ValueJson>;
  if (op !== "write" && hasValue(rest)) throw new QueryError(`${name}: ${op} takes no value`);
  if (op !== "setPerms" && texts !== undefined) throw new QueryError(`${name}: ${op} takes no perms`);
  switch (op) {
    case "write": {
      if (!hasValue(rest)) throw new QueryError(`${name}: write needs a value, as "value" or "valueBase64"`);
      const value = flattenBytes(valueFromJson(rest));
      if (path.length + value.length > WRITE_BYTES_MAX) {
        const most = `path and value together have at most ${String(WRITE_BYTES_MAX)} bytes, as on the wire`;
        throw new QueryError(`${name}: ${String(path.length + value.length)} bytes are too many: ${most}`);
      }
      return { operation: "WRITE", path, value };
    }
    case "mkdir":
      return { operation: "MKDIR", path };
    case "rm":
      return { operation: "RM", path };
    case "setPerms": {
      const perms = parsePerms((texts ?? []).map(bytesFromText));
      if (perms === undefined || serializePerms(perms).length > XENSTORE_PAYLOAD_MAX) {
        const right =
          'a list such as ["n0", "r5"], the owner first; n, r, w or b for nothing, reading, writing or both';
        throw new QueryError(`${name}: perms are ${right}`);
      }
      return { operation: "SET_PERMS", path, perms: internPerms(perms) };
    }
  }
}

function expectation(read: NodeRead, name: string): RequestsOrder["expected"][number] {
  const path = queriedPath(read.path);
  const isAbsent = "absent" in read;
  if (isAbsent === hasValue(read)) {
    throw new QueryError(`${name}: either a value is expected, or "absent": true`);
  }
  return { path, value: hasValue(read) ? valueFromJson(read) : undefined };
}

/** @throws QueryError where there are two */
function hasValue(json: object): json is ValueJson {
  const { value, valueBase64 } = json as { readonly value?: string; readonly valueBase64?: string };
  if (value !== undefined && valueBase64 !== undefined) {
    throw new QueryError('a value is either text in "value" or Base64 in "valueBase64", not both');
  }
  return value !== undefined || valueBase64 !== undefined;
}

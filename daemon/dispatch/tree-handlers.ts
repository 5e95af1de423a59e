/**
 * Handlers of the requests on the tree.
 *
 * Owns the way from a payload to a `TreeRequest`, on a transaction or as a commit of its own, and from its reply to a
 * payload. What the requests mean is `store/tree-request.ts`.
 */
import { flattenBytes, type ByteString } from "../../protocol/bytes.js";
import type { Domid, Seq } from "../../protocol/identifiers.js";
import { XENSTORE_PAYLOAD_MAX } from "../../protocol/limits.js";
import type { TreeOperationName } from "../../protocol/operation.js";
import {
  INTRODUCE_DOMAIN,
  isSpecialPath,
  parsePath,
  parseWatchPath,
  RELEASE_DOMAIN,
  type SpecialPath,
} from "../../protocol/path.js";
import { directoryPartReply, permsReply, REQUEST_CODECS, serializeStrings } from "../../protocol/payload.js";
import { Draft } from "../store/draft.js";
import {
  answerQuery,
  executeTreeRequest,
  isMutating,
  type TreeReply,
  type TreeRequest,
} from "../store/tree-request.js";
import type { Call, Handler } from "./call.js";
import { fail, OK, type Outcome } from "./outcome.js";
import { treeRequestRecord } from "./request-record.js";

/** A handler for one operation on the tree. */
export function treeHandler(operation: TreeOperationName): Handler {
  const parse = PARSERS[operation];
  return (call) => {
    const request = parse(call.payload, call.connection.domid);
    if (request === undefined) return fail("EINVAL");
    if (request === "unknown special path") return fail("ENOENT");
    return call.transaction === undefined ? executeAlone(call, request) : executeWithin(call, request);
  };
}

function executeAlone(call: Call, request: TreeRequest): Outcome {
  const { state, connection } = call;
  const { store } = state;
  if (!isMutating(request)) return serializeReply(answerQuery(store.root, request, state.requesterOf(connection)));
  const draft = new Draft(store.root, (store.seq + 1) as Seq);
  const reply = executeTreeRequest(draft, request, state.contextFor(connection));
  if (!draft.isEmpty) {
    const refused = state.commit(draft, {
      connection,
      transaction: undefined,
      base: store.seq,
      requests: [treeRequestRecord(request)],
      requestsOmitted: 0,
    });
    if (refused !== undefined) return fail(refused);
  }
  return serializeReply(reply);
}

function executeWithin(call: Call, request: TreeRequest): Outcome {
  const { state, connection, transaction } = call;
  if (transaction === undefined) throw new Error("executeWithin needs a transaction");
  const mark = transaction.mark();
  state.undo.push(() => {
    transaction.rewind(mark);
  });
  return serializeReply(transaction.execute(request, state.requesterOf(connection)));
}

type Parsed = TreeRequest | "unknown special path" | undefined;
type Parser = (payload: ByteString, domid: Domid) => Parsed;

function pathParser(operation: "READ" | "DIRECTORY" | "MKDIR" | "RM"): Parser {
  const codec = REQUEST_CODECS[operation];
  return (payload, domid) => {
    const request = codec.parse(payload);
    const path = request === undefined ? undefined : parsePath(request.path, domid);
    return path === undefined ? undefined : { operation, path };
  };
}

/** The constant that a special path equals: what was sent is a part of its chunk. */
function ownSpecialPath(path: SpecialPath): SpecialPath {
  return path === INTRODUCE_DOMAIN ? INTRODUCE_DOMAIN : RELEASE_DOMAIN;
}

/** A well-formed `@…` that has no perms is ENOENT, as a missing node is. */
function unknownSpecialPath(path: ByteString, domid: Domid): Parsed {
  return parseWatchPath(path, domid) === undefined ? undefined : "unknown special path";
}

const PARSERS: Readonly<Record<TreeOperationName, Parser>> = {
  READ: pathParser("READ"),
  DIRECTORY: pathParser("DIRECTORY"),
  MKDIR: pathParser("MKDIR"),
  RM: pathParser("RM"),
  DIRECTORY_PART: (payload, domid) => {
    const request = REQUEST_CODECS.DIRECTORY_PART.parse(payload);
    const path = request === undefined ? undefined : parsePath(request.path, domid);
    if (request === undefined || path === undefined) return undefined;
    return { operation: "DIRECTORY_PART", path, offset: request.offset };
  },
  WRITE: (payload, domid) => {
    const request = REQUEST_CODECS.WRITE.parse(payload);
    const path = request === undefined ? undefined : parsePath(request.path, domid);
    if (request === undefined || path === undefined) return undefined;
    return { operation: "WRITE", path, value: flattenBytes(request.value) };
  },
  GET_PERMS: (payload, domid) => {
    const request = REQUEST_CODECS.GET_PERMS.parse(payload);
    if (request === undefined) return undefined;
    if (isSpecialPath(request.path)) return { operation: "GET_PERMS", path: ownSpecialPath(request.path) };
    if (request.path.startsWith("@")) return unknownSpecialPath(request.path, domid);
    const path = parsePath(request.path, domid);
    return path === undefined ? undefined : { operation: "GET_PERMS", path };
  },
  SET_PERMS: (payload, domid) => {
    const request = REQUEST_CODECS.SET_PERMS.parse(payload);
    if (request === undefined) return undefined;
    if (isSpecialPath(request.path)) {
      return { operation: "SET_PERMS", path: ownSpecialPath(request.path), perms: request.perms };
    }
    if (request.path.startsWith("@")) return unknownSpecialPath(request.path, domid);
    const path = parsePath(request.path, domid);
    return path === undefined ? undefined : { operation: "SET_PERMS", path, perms: request.perms };
  },
};

function serializeReply(reply: TreeReply): Outcome {
  switch (reply.kind) {
    case "error":
      return fail(reply.error);
    case "done":
      return OK;
    case "value":
      return reply.value;
    case "names": {
      const payload = serializeStrings(reply.names);
      return payload.length > XENSTORE_PAYLOAD_MAX ? fail("E2BIG") : payload;
    }
    case "part":
      return serializePart(reply.names, reply.offset, reply.generation);
    case "perms": {
      const payload = permsReply.serialize(reply.perms);
      return payload.length > XENSTORE_PAYLOAD_MAX ? fail("E2BIG") : payload;
    }
  }
}

/**
 * As many whole names from a byte offset on as fit; past the end of the list it is the end mark alone. An offset inside
 * a name gives the rest of that name, as C does.
 */
function serializePart(names: readonly string[], offset: number, generationNumber: number): ByteString {
  const generation = String(generationNumber);
  let room = XENSTORE_PAYLOAD_MAX - generation.length - 2;
  let at = 0;
  const part: string[] = [];
  for (const name of names) {
    const end = at + name.length + 1;
    if (end > offset) {
      const rest = at >= offset ? name : name.slice(offset - at);
      if (rest.length + 1 > room) return directoryPartReply.serialize({ generation, names: part, last: false });
      part.push(rest);
      room -= rest.length + 1;
    }
    at = end;
  }
  return directoryPartReply.serialize({ generation, names: part, last: true });
}

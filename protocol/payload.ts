/**
 * Payload codecs: one for the request of each operation, and one for each shape of reply.
 *
 * Owns the payload syntax and nothing else: paths are checked by `path.ts`, because a relative one depends on who asks.
 * A parser returns undefined for what is malformed (EINVAL) and never throws. `parse(serialize(x))` equals `x`.
 * Source: xenstore.txt, "Xenstore protocol details"; a missing final NUL, an embedded NUL, or an empty payload where an
 * argument is due is malformed; a WRITE value is raw bytes.
 */
import type { ByteString } from "./bytes.js";
import { parseDecimal, parseDomid, type Domid } from "./identifiers.js";
import type { OperationName } from "./operation.js";
import { parsePerms, serializePerms, type Perms } from "./perms.js";

/** Translates between a payload and its meaning. */
export interface PayloadCodec<T> {
  /** Returns the meaning, or undefined when the payload is malformed. */
  parse(payload: ByteString): T | undefined;
  serialize(value: T): ByteString;
}

/** A request that names a path and nothing more; the path is as sent, unchecked. */
export interface PathRequest {
  readonly path: ByteString;
}
/** WRITE. */
export interface WriteRequest {
  readonly path: ByteString;
  readonly value: ByteString;
}
/** SET_PERMS. */
export interface SetPermsRequest {
  readonly path: ByteString;
  readonly perms: Perms;
}
/** DIRECTORY_PART: `offset` counts bytes of the whole list of names, each followed by a NUL. */
export interface DirectoryPartRequest {
  readonly path: ByteString;
  readonly offset: number;
}
/** WATCH; `depth` is undefined when no limit was asked for. */
export interface WatchRequest {
  readonly path: ByteString;
  readonly token: ByteString;
  readonly depth?: number | undefined;
}
/** UNWATCH. */
export interface UnwatchRequest {
  readonly path: ByteString;
  readonly token: ByteString;
}
/** TRANSACTION_END. */
export interface TransactionEndRequest {
  readonly commit: boolean;
}
/** INTRODUCE; `gfn` is signed, `port` is as sent, its range unchecked. */
export interface IntroduceRequest {
  readonly domid: Domid;
  readonly gfn: number;
  readonly port: number;
}
/** A request that names a domain and nothing more. */
export interface DomidRequest {
  readonly domid: Domid;
}
/** SET_TARGET. */
export interface SetTargetRequest {
  readonly domid: Domid;
  readonly target: Domid;
}
/** GET_FEATURE; without `domid`, what the daemon supports. */
export interface GetFeatureRequest {
  readonly domid?: Domid | undefined;
}
/** SET_FEATURE; `features` is a bit set. */
export interface SetFeatureRequest {
  readonly domid: Domid;
  readonly features: number;
}
/** GET_QUOTA; without `quota`, the names of all; without `domid`, the default for new domains. */
export interface GetQuotaRequest {
  readonly domid?: Domid | undefined;
  readonly quota?: ByteString | undefined;
}
/** SET_QUOTA; `value` 0 means unlimited; without `domid`, the default for new domains. */
export interface SetQuotaRequest {
  readonly domid?: Domid | undefined;
  readonly quota: ByteString;
  readonly value: number;
}
/** CONTROL: the command and its parameters. */
export interface ControlRequest {
  readonly command: ByteString;
  readonly parameters: readonly ByteString[];
}
/** A request whose payload is reserved and ignored. */
export type EmptyRequest = Readonly<Record<string, never>>;

/** What each operation's request means. */
export interface RequestPayloads {
  CONTROL: ControlRequest;
  DIRECTORY: PathRequest;
  READ: PathRequest;
  GET_PERMS: PathRequest;
  WATCH: WatchRequest;
  UNWATCH: UnwatchRequest;
  TRANSACTION_START: EmptyRequest;
  TRANSACTION_END: TransactionEndRequest;
  INTRODUCE: IntroduceRequest;
  RELEASE: DomidRequest;
  GET_DOMAIN_PATH: DomidRequest;
  WRITE: WriteRequest;
  MKDIR: PathRequest;
  RM: PathRequest;
  SET_PERMS: SetPermsRequest;
  IS_DOMAIN_INTRODUCED: DomidRequest;
  RESUME: DomidRequest;
  SET_TARGET: SetTargetRequest;
  RESET_WATCHES: EmptyRequest;
  DIRECTORY_PART: DirectoryPartRequest;
  GET_FEATURE: GetFeatureRequest;
  SET_FEATURE: SetFeatureRequest;
  GET_QUOTA: GetQuotaRequest;
  SET_QUOTA: SetQuotaRequest;
}

/** Splits a payload of strings that each end in a NUL; undefined when the last one does not. `""` is no strings. */
export function parseStrings(payload: ByteString): ByteString[] | undefined {
  if (payload.length === 0) return [];
  if (payload.charCodeAt(payload.length - 1) !== 0) return undefined;
  return payload.slice(0, -1).split("\0");
}

/** Joins strings, each followed by a NUL. */
export function serializeStrings(strings: readonly ByteString[]): ByteString {
  return strings.length === 0 ? "" : strings.join("\0") + "\0";
}

function parseOneString(payload: ByteString): ByteString | undefined {
  const last = payload.length - 1;
  return last >= 0 && payload.indexOf("\0") === last ? payload.slice(0, last) : undefined;
}

const SIGNED_DECIMAL = /^-?[0-9]{1,20}$/;

/** INTRODUCE's frame number and port are signed decimals (xenstore.txt: "represented in signed decimal (!)"). */
function parseSignedDecimal(text: ByteString): number | undefined {
  // `-0` is 0: no journal line and no Git object could tell the two apart.
  return SIGNED_DECIMAL.test(text) ? Number(text) + 0 : undefined;
}

const path: PayloadCodec<PathRequest> = {
  parse(payload) {
    const text = parseOneString(payload);
    return text === undefined ? undefined : { path: text };
  },
  serialize: (request) => request.path + "\0",
};

const domid: PayloadCodec<DomidRequest> = {
  parse(payload) {
    const text = parseOneString(payload);
    const parsed = text === undefined ? undefined : parseDomid(text);
    return parsed === undefined ? undefined : { domid: parsed };
  },
  serialize: (request) => `${String(request.domid)}\0`,
};

/** Reserved payloads are ignored, as C does: some clients send a NUL, some nothing. */
const empty: PayloadCodec<EmptyRequest> = { parse: () => ({}), serialize: () => "\0" };

const write: PayloadCodec<WriteRequest> = {
  parse(payload) {
    const end = payload.indexOf("\0");
    return end === -1 ? undefined : { path: payload.slice(0, end), value: payload.slice(end + 1) };
  },
  serialize: (request) => `${request.path}\0${request.value}`,
};

const setPerms: PayloadCodec<SetPermsRequest> = {
  parse(payload) {
    const [first, ...entries] = parseStrings(payload) ?? [];
    if (first === undefined) return undefined;
    const perms = parsePerms(entries);
    return perms === undefined ? undefined : { path: first, perms };
  },
  serialize: (request) => `${request.path}\0${serializePerms(request.perms, "\0")}\0`,
};

const directoryPart: PayloadCodec<DirectoryPartRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings?.length !== 2) return undefined;
    const [first = "", second = ""] = strings;
    const offset = parseDecimal(second);
    return offset === undefined ? undefined : { path: first, offset };
  },
  serialize: (request) => `${request.path}\0${String(request.offset)}\0`,
};

const watch: PayloadCodec<WatchRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings === undefined || strings.length < 2 || strings.length > 3) return undefined;
    const [first = "", token = "", third] = strings;
    if (third === undefined) return { path: first, token };
    const depth = parseDecimal(third);
    return depth === undefined ? undefined : { path: first, token, depth };
  },
  serialize: (request) =>
    serializeStrings(
      request.depth === undefined
        ? [request.path, request.token]
        : [request.path, request.token, String(request.depth)],
    ),
};

const unwatch: PayloadCodec<UnwatchRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings?.length !== 2) return undefined;
    const [first = "", token = ""] = strings;
    return { path: first, token };
  },
  serialize: (request) => `${request.path}\0${request.token}\0`,
};

const transactionEnd: PayloadCodec<TransactionEndRequest> = {
  parse: (payload) => (payload === "T\0" ? { commit: true } : payload === "F\0" ? { commit: false } : undefined),
  serialize: (request) => (request.commit ? "T\0" : "F\0"),
};

const introduce: PayloadCodec<IntroduceRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings === undefined || strings.length < 3) return undefined;
    const [first = "", second = "", third = ""] = strings;
    const parsed = parseDomid(first);
    const gfn = parseSignedDecimal(second);
    const port = parseSignedDecimal(third);
    return parsed === undefined || gfn === undefined || port === undefined ? undefined : { domid: parsed, gfn, port };
  },
  serialize: (request) => serializeStrings([request.domid, request.gfn, request.port].map(String)),
};

const setTarget: PayloadCodec<SetTargetRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings?.length !== 2) return undefined;
    const parsed = parseDomid(strings[0] ?? "");
    const target = parseDomid(strings[1] ?? "");
    return parsed === undefined || target === undefined ? undefined : { domid: parsed, target };
  },
  serialize: (request) => serializeStrings([request.domid, request.target].map(String)),
};

const getFeature: PayloadCodec<GetFeatureRequest> = {
  parse(payload) {
    if (payload === "" || payload === "\0") return {};
    return domid.parse(payload);
  },
  serialize: (request) => (request.domid === undefined ? "" : `${String(request.domid)}\0`),
};

const setFeature: PayloadCodec<SetFeatureRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings?.length !== 2) return undefined;
    const parsed = parseDomid(strings[0] ?? "");
    const features = parseDecimal(strings[1] ?? "");
    return parsed === undefined || features === undefined ? undefined : { domid: parsed, features };
  },
  serialize: (request) => serializeStrings([request.domid, request.features].map(String)),
};

const getQuota: PayloadCodec<GetQuotaRequest> = {
  parse(payload) {
    if (payload === "" || payload === "\0") return {};
    const strings = parseStrings(payload);
    if (strings?.length === 1) return { quota: strings[0] };
    if (strings?.length !== 2) return undefined;
    const parsed = parseDomid(strings[0] ?? "");
    return parsed === undefined ? undefined : { domid: parsed, quota: strings[1] };
  },
  serialize: (request) => {
    if (request.quota === undefined) return "";
    return serializeStrings(request.domid === undefined ? [request.quota] : [String(request.domid), request.quota]);
  },
};

const setQuota: PayloadCodec<SetQuotaRequest> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings === undefined || strings.length < 2 || strings.length > 3) return undefined;
    const value = parseDecimal(strings.at(-1) ?? "");
    const quota = strings.at(-2) ?? "";
    if (value === undefined) return undefined;
    if (strings.length === 2) return { quota, value };
    const parsed = parseDomid(strings[0] ?? "");
    return parsed === undefined ? undefined : { domid: parsed, quota, value };
  },
  serialize: (request) => {
    const rest = [request.quota, String(request.value)];
    return serializeStrings(request.domid === undefined ? rest : [String(request.domid), ...rest]);
  },
};

const control: PayloadCodec<ControlRequest> = {
  parse(payload) {
    const [command, ...parameters] = parseStrings(payload) ?? [];
    return command === undefined ? undefined : { command, parameters };
  },
  serialize: (request) => serializeStrings([request.command, ...request.parameters]),
};

/** The request codec of each operation. */
export const REQUEST_CODECS: { readonly [Name in OperationName]: PayloadCodec<RequestPayloads[Name]> } = {
  CONTROL: control,
  DIRECTORY: path,
  READ: path,
  GET_PERMS: path,
  WATCH: watch,
  UNWATCH: unwatch,
  TRANSACTION_START: empty,
  TRANSACTION_END: transactionEnd,
  INTRODUCE: introduce,
  RELEASE: domid,
  GET_DOMAIN_PATH: domid,
  WRITE: write,
  MKDIR: path,
  RM: path,
  SET_PERMS: setPerms,
  IS_DOMAIN_INTRODUCED: domid,
  RESUME: domid,
  SET_TARGET: setTarget,
  RESET_WATCHES: empty,
  DIRECTORY_PART: directoryPart,
  GET_FEATURE: getFeature,
  SET_FEATURE: setFeature,
  GET_QUOTA: getQuota,
  SET_QUOTA: setQuota,
};

/** A part of a directory's names, as DIRECTORY_PART answers. */
export interface DirectoryPart {
  /** Changes whenever the node changes. */
  readonly generation: ByteString;
  /** Whole names from the requested offset on. */
  readonly names: readonly ByteString[];
  /** Whether the list ends with these names. */
  readonly last: boolean;
}

/** DIRECTORY's reply: an empty payload for no children, else each name followed by a NUL. */
export const directoryReply: PayloadCodec<readonly ByteString[]> = {
  parse: parseStrings,
  serialize: serializeStrings,
};

/** DIRECTORY_PART's reply: the generation, the names, and one more NUL at the end of the whole list. */
export const directoryPartReply: PayloadCodec<DirectoryPart> = {
  parse(payload) {
    const [generation, ...rest] = parseStrings(payload) ?? [];
    if (generation === undefined) return undefined;
    const last = rest.at(-1) === "";
    const names = last ? rest.slice(0, -1) : rest;
    return { generation, names, last };
  },
  serialize: (part) => serializeStrings([part.generation, ...part.names, ...(part.last ? [""] : [])]),
};

/** GET_PERMS's reply: each entry followed by a NUL. */
export const permsReply: PayloadCodec<Perms> = {
  parse: (payload) => parsePerms(parseStrings(payload) ?? []),
  serialize: (perms) => serializePerms(perms, "\0") + "\0",
};

/** A reply of one string with a NUL: `OK`, a transaction id, a path, `T` or `F`. */
export const stringReply: PayloadCodec<ByteString> = {
  parse: parseOneString,
  serialize: (text) => text + "\0",
};

/** A watch event's payload: the path, as the watch was set (relative or absolute), and the token. */
export const watchEvent: PayloadCodec<{ readonly path: ByteString; readonly token: ByteString }> = {
  parse(payload) {
    const strings = parseStrings(payload);
    if (strings?.length !== 2) return undefined;
    const [first = "", token = ""] = strings;
    return { path: first, token };
  },
  serialize: (event) => `${event.path}\0${event.token}\0`,
};

/**
 * Handlers of the requests about domains, and what the hypervisor does to domains.
 *
 * Owns a domain's life: introduced → (shut down ⇄ resumed) → released or destroyed. Every step acts at once, whatever the
 * tx_id, and is one commit. Source: xenstore.txt, "Domain management"; rules 7 and 8 of C xenstored.
 */
import { DOMID_FIRST_RESERVED, type Domid, type Path, type Seq } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import { domainPath, INTRODUCE_DOMAIN, RELEASE_DOMAIN, ROOT_PATH } from "../../protocol/path.js";
import { REQUEST_CODECS, type RequestPayloads } from "../../protocol/payload.js";
import { internPerms, type Perms } from "../../protocol/perms.js";
import { sameIntroduction } from "../store/diff.js";
import { Draft } from "../store/draft.js";
import { withoutEntriesFor } from "../store/permission.js";
import { NO_RECORD, type DomainRecord } from "../store/root.js";
import type { Connection } from "../connection/connection.js";
import type { Call, Handler } from "./call.js";
import { FEATURES_SUPPORTED, featuresOf } from "./feature.js";
import { fail, OK, type Outcome } from "./outcome.js";
import { requestRecord } from "./request-record.js";
import type { CoreState } from "./state.js";

/** The largest event channel port (a uint32 in Xen's interface). */
const PORT_MAX = 0xffff_ffff;

/** A draft for one act on a domain. */
export function draftOf(state: CoreState): Draft {
  return new Draft(state.store.root, (state.store.seq + 1) as Seq);
}

/** Commits a draft for a request outside the tree. */
export function commitAct(
  state: CoreState,
  connection: Connection,
  draft: Draft,
  act: { readonly operation: OperationName; readonly subject: string; readonly detail?: string },
): Outcome {
  const refused = state.commit(draft, {
    connection,
    transaction: undefined,
    base: state.store.seq,
    requests: [requestRecord(act.operation, act.subject, act.detail)],
    requestsOmitted: 0,
  });
  return refused === undefined ? OK : fail(refused);
}

/** Whether a domain is introduced; dom0 always is. */
function isIntroduced(state: CoreState, domid: Domid): boolean {
  return domid === 0 || state.store.root.domains.get(domid)?.introduction !== undefined;
}

function recordOf(state: CoreState, domid: Domid): DomainRecord {
  return state.store.root.domains.get(domid) ?? NO_RECORD;
}

/**
 * INTRODUCE: the first fires `@introduceDomain`, and its commit is what the domain is told from the next one by that gets its
 * number; a repeated one keeps that, and resets the guest's watches and transactions.
 */
export const handleIntroduce: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.INTRODUCE.parse(payload);
  if (request === undefined || request.port <= 0) return fail("EINVAL");
  const { domid, port } = request;
  // The frame is told and never used, as in C; one that no page can have (~0UL, say) is told as 0.
  const gfn = Number.isSafeInteger(request.gfn) && request.gfn >= 0 ? request.gfn : 0;
  if (port > PORT_MAX) return fail("EINVAL");
  if (domid === 0 || domid >= DOMID_FIRST_RESERVED) return fail("EINVAL");
  const repeated = isIntroduced(state, domid);
  const draft = draftOf(state);
  const record = recordOf(state, domid);
  const { introduction: known } = record;
  const commit = known === undefined ? { seq: draft.seq, time: state.now } : known.commit;
  const introduction = { gfn, port, commit };
  if (!sameIntroduction(known, introduction)) draft.setDomain(domid, { ...record, introduction });
  if (!repeated) draft.events.push({ kind: "special", path: INTRODUCE_DOMAIN, domid });
  const detail = `${String(gfn)} ${String(port)}`;
  const outcome = commitAct(state, connection, draft, { operation: "INTRODUCE", subject: String(domid), detail });
  if (outcome !== OK) return outcome;
  if (repeated) for (const guest of state.connectionsOf(domid)) state.resetConnection(guest);
  else state.effects.push({ kind: "open-domain-socket", domid });
  return OK;
};

/** RELEASE. */
export const handleRelease: Handler = (call) =>
  withKnownDomain("RELEASE", call, (domid) =>
    removeDomain(call.state, call.connection, domid, { operation: "RELEASE", subject: String(domid) }),
  );

/** RESUME: the domain's next shutdown fires `@releaseDomain` again. */
export const handleResume: Handler = (call) =>
  withKnownDomain("RESUME", call, (domid) => {
    const { state, connection } = call;
    const draft = draftOf(state);
    const record = recordOf(state, domid);
    if (record.shutdown) draft.setDomain(domid, { ...record, shutdown: false });
    return commitAct(state, connection, draft, { operation: "RESUME", subject: String(domid) });
  });

/** Parses a request that names an introduced domain other than dom0. */
function withKnownDomain(
  operation: "RELEASE" | "RESUME",
  { state, payload }: Call,
  act: (domid: Domid) => Outcome,
): Outcome {
  const request = REQUEST_CODECS[operation].parse(payload);
  if (request === undefined || request.domid === 0) return fail("EINVAL");
  return isIntroduced(state, request.domid) ? act(request.domid) : fail("ENOENT");
}

/** IS_DOMAIN_INTRODUCED. */
export const handleIsDomainIntroduced: Handler = ({ state, payload }) => {
  const request = REQUEST_CODECS.IS_DOMAIN_INTRODUCED.parse(payload);
  if (request === undefined) return fail("EINVAL");
  return isIntroduced(state, request.domid) ? "T\0" : "F\0";
};

/** GET_DOMAIN_PATH: also for a domain that does not exist. */
export const handleGetDomainPath: Handler = ({ payload }) => {
  const request = REQUEST_CODECS.GET_DOMAIN_PATH.parse(payload);
  return request === undefined ? fail("EINVAL") : `${domainPath(request.domid)}\0`;
};

/** SET_TARGET: both must be introduced. */
export const handleSetTarget: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.SET_TARGET.parse(payload);
  if (request === undefined || request.domid === 0) return fail("EINVAL");
  const { domid, target } = request;
  if (!isIntroduced(state, domid) || !isIntroduced(state, target)) return fail("ENOENT");
  const draft = draftOf(state);
  const record = recordOf(state, domid);
  if (record.target !== target) draft.setDomain(domid, { ...record, target });
  const act = { operation: "SET_TARGET", subject: String(domid), detail: String(target) } as const;
  return commitAct(state, connection, draft, act);
};

/** GET_FEATURE: without a domid, what the caller is offered; with one, for dom0 alone. */
export const handleGetFeature: Handler = ({ state, connection, payload }) => {
  const request: RequestPayloads["GET_FEATURE"] | undefined = REQUEST_CODECS.GET_FEATURE.parse(payload);
  if (request === undefined) return fail("EINVAL");
  if (request.domid !== undefined && connection.domid !== 0) return fail("EACCES");
  return `${String(featuresOf(state, request.domid ?? connection.domid))}\0`;
};

/** SET_FEATURE: before INTRODUCE only, and supported bits only. */
export const handleSetFeature: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.SET_FEATURE.parse(payload);
  if (request === undefined || request.domid >= DOMID_FIRST_RESERVED) return fail("EINVAL");
  const { domid, features } = request;
  if (isIntroduced(state, domid)) return fail("EBUSY");
  if ((features & ~FEATURES_SUPPORTED) !== 0 || features > FEATURES_SUPPORTED) return fail("EINVAL");
  const draft = draftOf(state);
  const record = recordOf(state, domid);
  if (record.features !== features) draft.setDomain(domid, { ...record, features });
  const act = { operation: "SET_FEATURE", subject: String(domid), detail: String(features) } as const;
  return commitAct(state, connection, draft, act);
};

/** The hypervisor shut a domain down: fires `@releaseDomain`, once until RESUME. */
export function shutDownDomain(state: CoreState, connection: Connection, domid: Domid): Outcome {
  if (domid === 0 || !isIntroduced(state, domid)) return fail("ENOENT");
  const draft = draftOf(state);
  const record = recordOf(state, domid);
  if (!record.shutdown) {
    draft.setDomain(domid, { ...record, shutdown: true });
    draft.events.push({ kind: "special", path: RELEASE_DOMAIN, domid });
  }
  return commitAct(state, connection, draft, { operation: "CONTROL", subject: `domain shutdown ${String(domid)}` });
}

/** The hypervisor destroyed a domain. */
export function destroyDomain(state: CoreState, connection: Connection, domid: Domid): Outcome {
  if (domid === 0 || !isIntroduced(state, domid)) return fail("ENOENT");
  const subject = `domain destroy ${String(domid)}`;
  return removeDomain(state, connection, domid, { operation: "CONTROL", subject });
}

/**
 * Removes a domain: its nodes with all below them, its entries in every permission list, its hold on other domains, its
 * record; then `@releaseDomain` fires once. All in one commit, so that nothing of it survives a restart (XSA-322). Its own
 * watches go first, so that it is told nothing of its own end; others are told of the removed nodes, as in C.
 */
function removeDomain(
  state: CoreState,
  connection: Connection,
  domid: Domid,
  act: { readonly operation: OperationName; readonly subject: string },
): Outcome {
  if (state.refusal !== undefined) return fail(state.refusal);
  state.closeConnectionsOf(domid);
  const draft = draftOf(state);
  for (const path of [...state.store.accounts.mentions(domid)].sort()) removeMentions(draft, path, domid);
  for (const [path, perms] of draft.root.special) {
    const kept = disowned(domid, perms);
    if (kept !== perms) draft.setSpecial(path, kept);
  }
  for (const [other, record] of draft.root.domains) {
    if (record.target === domid) draft.setDomain(other, { ...record, target: undefined });
  }
  draft.setDomain(domid, NO_RECORD);
  draft.events.push({ kind: "special", path: RELEASE_DOMAIN, domid });
  const outcome = commitAct(state, connection, draft, act);
  if (outcome !== OK) return outcome;
  state.undo.push(state.fairness.forget(domid));
  state.effects.push({ kind: "close-domain-socket", domid });
  return OK;
}

/** Removes a node that the domain owns, or its entries at one that it does not; `/` stays and becomes dom0's. */
function removeMentions(draft: Draft, path: Path, domid: Domid): void {
  const node = draft.get(path);
  if (node === undefined) return;
  if (node.perms[0].domid === domid && path !== ROOT_PATH) {
    draft.events.push({ kind: "removed", path, node: draft.remove(path) });
  } else draft.set(path, { value: node.value, perms: disowned(domid, node.perms) });
}

/** The list without the domain: its entries go, and what it owned becomes dom0's alone. */
function disowned(domid: Domid, perms: Perms): Perms {
  const kept = withoutEntriesFor(domid, perms);
  const [owner, ...others] = kept;
  return owner.domid === domid ? internPerms([{ access: 0, domid: 0 as Domid }, ...others]) : kept;
}

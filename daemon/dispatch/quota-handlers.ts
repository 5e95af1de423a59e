/**
 * Handlers of GET_QUOTA and SET_QUOTA. Source: xenstore.txt, GET_QUOTA/SET_QUOTA; the quotas are `store/quota.ts`.
 */
import { DOMID_FIRST_RESERVED, type Domid } from "../../protocol/identifiers.js";
import { REQUEST_CODECS } from "../../protocol/payload.js";
import { withEntry } from "../store/diff.js";
import { isQuotaName, QUOTA_NAMES } from "../store/quota.js";
import { defaultQuota, quotaOf } from "../store/quota-limit.js";
import { NO_RECORD } from "../store/root.js";
import type { Connection } from "../connection/connection.js";
import type { Handler } from "./call.js";
import { commitAct, draftOf } from "./domain-handlers.js";
import { fail, type Outcome } from "./outcome.js";
import type { CoreState } from "./state.js";

/** The largest value of a quota. */
const QUOTA_VALUE_MAX = 0xffff_ffff;

/** GET_QUOTA: the names of all, a default, or a domain's value. */
export const handleGetQuota: Handler = ({ state, payload }) => {
  const request = REQUEST_CODECS.GET_QUOTA.parse(payload);
  if (request === undefined) return fail("EINVAL");
  const { domid, quota } = request;
  if (quota === undefined) return `${QUOTA_NAMES.join(" ")}\0`;
  if (!isQuotaName(quota)) return fail("EINVAL");
  const { root } = state.store;
  return `${String(domid === undefined ? defaultQuota(root, quota) : quotaOf(root, domid, quota))}\0`;
};

/** SET_QUOTA: a default, or a domain's value. */
export const handleSetQuota: Handler = ({ state, connection, payload }) => {
  const request = REQUEST_CODECS.SET_QUOTA.parse(payload);
  if (request === undefined) return fail("EINVAL");
  return setQuota(state, connection, request);
};

/** Changes a quota; also CONTROL `quota set`. */
export function setQuota(
  state: CoreState,
  connection: Connection,
  request: { readonly domid?: Domid | undefined; readonly quota: string; readonly value: number },
): Outcome {
  const { domid, quota, value } = request;
  if (!isQuotaName(quota) || value > QUOTA_VALUE_MAX) return fail("EINVAL");
  const draft = draftOf(state);
  if (domid === undefined) {
    if (defaultQuota(draft.root, quota) !== value) draft.setDefaultQuota(quota, value);
  } else {
    if (domid === 0 || domid >= DOMID_FIRST_RESERVED) return fail("EINVAL");
    const record = draft.root.domains.get(domid) ?? NO_RECORD;
    if (record.quotas.get(quota) !== value) {
      draft.setDomain(domid, { ...record, quotas: withEntry(record.quotas, quota, value) });
    }
  }
  const subject = domid === undefined ? quota : `${String(domid)} ${quota}`;
  return commitAct(state, connection, draft, { operation: "SET_QUOTA", subject, detail: String(value) });
}

/**
 * The limits in force: a domain's own quota, else the default that was set, else the built-in one.
 *
 * Owns the rule that dom0 is exempt, that `N` means N are allowed, and that 0 means unlimited.
 */
import type { Domid } from "../../protocol/identifiers.js";
import { QUOTA_DEFAULTS, type QuotaName } from "./quota.js";
import type { Root } from "./root.js";

/** The value in force for new domains. */
export function defaultQuota(root: Root, name: QuotaName): number {
  return root.quotas.get(name) ?? QUOTA_DEFAULTS[name];
}

/** The value in force for a domain; 0 is unlimited. */
export function quotaOf(root: Root, domid: Domid, name: QuotaName): number {
  return root.domains.get(domid)?.quotas.get(name) ?? defaultQuota(root, name);
}

/** Whether an unprivileged domain that holds `used` may not hold that many. */
export function exceedsQuota(root: Root, domid: Domid, name: QuotaName, used: number): boolean {
  if (domid === 0) return false;
  const limit = quotaOf(root, domid, name);
  return limit !== 0 && used > limit;
}

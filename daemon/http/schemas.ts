/**
 * JSON schemas that several routes have.
 */

/** A revision, a path, a name: what a person writes. */
export const TEXT = { type: "string", minLength: 1, maxLength: 4096 } as const;
/** What a person writes; of nothing at all the answer says what would be right. */
export const ASKED = { ...TEXT, minLength: 0 } as const;

/** A domain's number. */
export const DOMID = { type: "integer", minimum: 0, maximum: 65_535 } as const;

/** A transaction's id. */
export const TX_ID = { type: "integer", minimum: 1, maximum: 0xffff_ffff } as const;

/** The members of a value (`protocol/http-api/value.ts`), of which one may be given. */
export const NODE_VALUE = {
  value: { type: "string" },
  valueBase64: { type: "string", pattern: "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$" },
} as const;

/** A permission list, each entry as on the wire. */
export const PERMS = {
  type: "array",
  minItems: 1,
  maxItems: 1024,
  items: { type: "string", minLength: 2, maxLength: 8 },
} as const;

/** Parameters where there is nothing to say but the branch. */
export const BRANCH_QUERY = { type: "object", properties: { branch: TEXT }, additionalProperties: false } as const;

/** Those parameters. */
export interface BranchQuery {
  readonly branch?: string | undefined;
}

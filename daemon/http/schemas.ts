/**
 * JSON schemas that several routes have.
 */

/** A revision, a path, a name: what a person writes. */
export const TEXT = { type: "string", minLength: 1, maxLength: 4096 } as const;

/** A domain's number. */
export const DOMID = { type: "integer", minimum: 0, maximum: 65_535 } as const;

/** A transaction's id. */
export const TX_ID = { type: "integer", minimum: 1, maximum: 0xffff_ffff } as const;

/**
 * The limits of the wire format (`io/xs_wire.h`, xenstore.txt). Limits that are a policy of the daemon (quotas,
 * outbox sizes) live with what they limit.
 */

/** Bytes of a message header: type, req_id, tx_id, len, each a little-endian uint32. */
export const XENSTORE_HEADER_SIZE = 16;

/** Most bytes of a payload, in either direction. */
export const XENSTORE_PAYLOAD_MAX = 4096;

/** Most bytes of an absolute path. */
export const XENSTORE_ABS_PATH_MAX = 3072;

/** Most bytes of a path that does not start with `/`. */
export const XENSTORE_REL_PATH_MAX = 2048;

/** "Any domain" (`DOMID_ANY` of xenstored). */
export const DOMID_ANY = 32757;

/**
 * The limits of the wire, against the numbers of `io/xs_wire.h`.
 */
import { expect, test } from "vitest";
import * as limits from "../../../protocol/limits.js";

test("the limits are those of io/xs_wire.h", () => {
  expect(limits).toMatchObject({
    XENSTORE_HEADER_SIZE: 16,
    XENSTORE_PAYLOAD_MAX: 4096,
    XENSTORE_ABS_PATH_MAX: 3072,
    XENSTORE_REL_PATH_MAX: 2048,
    DOMID_ANY: 32757,
  });
});

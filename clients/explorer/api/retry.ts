/**
 * Questions that are asked again: a daemon that is started anew, or answers others, may answer a moment later.
 */
import { mayPass } from "./client.js";
import type { Retry } from "./latest.js";

const WAIT_MILLISECONDS = 1000;

/** For all that a page asks. */
export const RETRY: Retry = {
  mayPass,
  wait: () => new Promise((resolve) => setTimeout(resolve, WAIT_MILLISECONDS)),
};

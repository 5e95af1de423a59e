/**
 * Who may ask by TCP: whoever has the token, from a page of this daemon or from no page.
 *
 * Owns the checks before any route, the unknown ones too: the Host that was asked for (a name that somebody else's DNS points
 * here is not ours), the Origin of the page that asks, the token, but for the explorer's files. The admin socket needs none of them, it is its file's mode that
 * guards it. The answers say what was wrong and nothing of what is here.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Problem } from "../../protocol/http-api/problem.js";
import { problem } from "./problem.js";

/** What is let through. */
export interface GuardOptions {
  readonly token: string;
  readonly scheme: "http" | "https";
  /** The hosts under which it may be asked, as in the header: `127.0.0.1:7437`. */
  readonly hosts: () => ReadonlySet<string>;
}

/** Looks at a request: undefined lets it through; else it is why not. What is public needs no token. */
export type Guard = (headers: IncomingHttpHeaders, isPublic?: boolean) => Problem | undefined;

/** Makes the guard. */
export function createGuard({ token, scheme, hosts }: GuardOptions): Guard {
  const wanted = digestOf(token);
  return ({ host, origin, authorization }, isPublic = false) => {
    if (host === undefined || !hosts().has(host.toLowerCase())) {
      return problem(421, "this is not the host that was asked for: ask for the address that the daemon told");
    }
    if (origin !== undefined && origin !== `${scheme}://${host.toLowerCase()}`) {
      return problem(403, "a page of another origin may not ask");
    }
    if (!isPublic && !timingSafeEqual(digestOf(tokenOf(authorization)), wanted)) {
      return problem(401, "this needs the token in RUN/http-token, as Authorization: Bearer TOKEN");
    }
    return undefined;
  };
}

/** What is told besides with 401. */
export const CHALLENGE = { "www-authenticate": 'Bearer realm="xenstored-tng"' } as const;

function tokenOf(authorization: string | undefined): string {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? "")?.[1] ?? "";
}

/** Of equal length, whatever was sent. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

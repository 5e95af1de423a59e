/**
 * Who may ask by TCP: whoever has the token, from a page of this daemon or from no page.
 *
 * Owns the checks before any route, the unknown ones too: the Host that was asked for (a name that somebody else's DNS points
 * here is not ours), the Origin of the page that asks, the token. The admin socket needs none of them, it is its file's mode that
 * guards it. The answers say what was wrong and nothing of what is here.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply } from "fastify";
import { problem, PROBLEM_TYPE } from "./problem.js";

/** What is let through. */
export interface GuardOptions {
  readonly token: string;
  readonly scheme: "http" | "https";
  /** The hosts under which it may be asked, as in the header: `127.0.0.1:7437`. */
  readonly hosts: () => ReadonlySet<string>;
}

/** Refuses what is not let through, with a problem document. */
export function addGuard(app: FastifyInstance, { token, scheme, hosts }: GuardOptions): void {
  const wanted = digestOf(token);
  app.addHook("onRequest", async (request, reply) => {
    const { host, origin, authorization } = request.headers;
    if (host === undefined || !hosts().has(host.toLowerCase())) {
      return await refuse(
        reply,
        421,
        "this is not the host that was asked for: ask for the address that the daemon told",
      );
    }
    if (origin !== undefined && origin !== `${scheme}://${host.toLowerCase()}`) {
      return await refuse(reply, 403, "a page of another origin may not ask");
    }
    if (!timingSafeEqual(digestOf(tokenOf(authorization)), wanted)) {
      void reply.header("www-authenticate", 'Bearer realm="xenstored-tng"');
      return await refuse(reply, 401, "this needs the token in RUN/http-token, as Authorization: Bearer TOKEN");
    }
    return undefined;
  });
}

function tokenOf(authorization: string | undefined): string {
  return /^Bearer ([^\s]+)$/i.exec(authorization ?? "")?.[1] ?? "";
}

/** Of equal length, whatever was sent. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

async function refuse(reply: FastifyReply, status: number, detail: string): Promise<FastifyReply> {
  return await reply.code(status).type(PROBLEM_TYPE).send(problem(status, detail));
}

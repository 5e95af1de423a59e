/**
 * What an answer warns of: its history is behind (`Warning`, RFC 9111).
 */
import type { FastifyReply } from "fastify";

/** Adds the warning to an answer, be it a refusal. @param behind - why the history is behind, in words; undefined where it is not */
export function warnOf(reply: FastifyReply, behind: string | undefined): void {
  if (behind !== undefined) void reply.header("warning", `199 - ${JSON.stringify(headerText(behind))}`);
}

/** Text that a header can hold. */
function headerText(text: string): string {
  return text.replace(/[^ -~]/g, "?");
}

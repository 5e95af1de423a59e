/**
 * Which branches a request may be about.
 */
import { REVISION_MEMBERS } from "../../protocol/http-api/history-queries.js";

/** The branch and the revisions that a question or a request names: what is committed there is to be sealed first. */
export function namesIn(members: object): readonly string[] {
  const named = members as Readonly<Record<string, unknown>>;
  return ["branch", ...REVISION_MEMBERS].map((name) => named[name]).filter((text) => typeof text === "string");
}

/** Whether a revision begins with a branch, said in whichever way. */
export function namesBranch(revision: string, branch: string): boolean {
  const [, name = revision] = /^(?:refs\/)?(?:heads\/)?(.*)$/s.exec(revision) ?? [];
  return name.startsWith(branch) && /^[@~^]|^$/.test(name.slice(branch.length));
}

/**
 * Where somebody is: a view and what it shows. It is the address's fragment, so that it can be sent to a colleague.
 *
 *     #/tree?at=@{1234}&path=/local/domain/5
 *
 * Owns its text. What is in it is a view's own affair; `at` (a revision, none for the tip) and `path` mean the same in all.
 */

/** The views, in the order of the menu. */
export const VIEWS = ["tree", "boot", "commit", "bisect", "rollback", "live", "api"] as const;

/** A view's name. */
export type ViewName = (typeof VIEWS)[number];

/** What is shown of a view. */
export type Members = Readonly<Record<string, string | undefined>>;

/** A view with what it shows. */
export interface Place {
  readonly view: ViewName;
  readonly members: Members;
}

/** What a fragment says, with its `#`; the tree at the tip where it says nothing that makes sense. */
export function parsePlace(fragment: string): Place {
  const [, name, query = ""] = /^#\/([a-z]*)(?:\?(.*))?$/s.exec(fragment) ?? [];
  const view = VIEWS.find((each) => each === name);
  if (view === undefined) return { view: "tree", members: {} };
  return { view, members: Object.fromEntries(new URLSearchParams(query)) };
}

/** The fragment of a place, with its `#`. */
export function serializePlace({ view, members }: Place): string {
  const given = Object.entries(members).filter((member): member is [string, string] => (member[1] ?? "") !== "");
  const query = given.map(([name, value]) => `${name}=${encodeMember(value)}`).join("&");
  return `#/${view}${query === "" ? "" : `?${query}`}`;
}

/** What a fragment may have as it is (RFC 3986) stays, so that a person can read it. */
function encodeMember(value: string): string {
  return encodeURIComponent(value).replace(/%(?:2F|40|3A|24|2C)/g, decodeURIComponent);
}

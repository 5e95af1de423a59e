/**
 * Permissions in words.
 *
 * Owns how a permission list (`n0`, `r5`, the owner's entry first) is told to people.
 */

const RIGHTS: Readonly<Record<string, string>> = {
  n: "may neither read nor write",
  r: "may read",
  w: "may write",
  b: "may read and write",
};

/** A list in words: `dom0 owns it, domain 7 may read, all others may neither read nor write`. */
export function permsInWords(perms: readonly string[]): string {
  const [owner = "", ...others] = perms;
  const everybody = RIGHTS[owner.charAt(0)] ?? owner;
  return [
    `${domainInWords(owner.slice(1))} owns it`,
    ...others.map((each) => `${domainInWords(each.slice(1))} ${RIGHTS[each.charAt(0)] ?? each}`),
    `all others ${everybody}`,
  ].join(", ");
}

/** A domain's number as it is called. */
export function domainInWords(domid: string | number): string {
  return String(domid) === "0" ? "dom0" : `domain ${String(domid)}`;
}

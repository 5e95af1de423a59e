/**
 * Random states and commits for the tests of the history.
 *
 * Owns the generator: edits that are always legal, over few names, so that nodes come, go and change kind often. The names
 * are those that go wrong: Git's order (`device` beside `device-model`), properties of objects, names that begin with `-`.
 */
import fc from "fast-check";
import type { Domid, Microseconds, Path, Seq, TxId } from "../../protocol/identifiers.js";
import { INTRODUCE_DOMAIN, joinPath, RELEASE_DOMAIN } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import type { Change, Commit } from "../../daemon/store/commit.js";
import { applyChanges, diffRoots } from "../../daemon/store/diff.js";
import { emptyRoot, getNode, type Introduction, type Root } from "../../daemon/store/root.js";

const NAMES = [
  "device",
  "device-model",
  "device-",
  "__proto__",
  "constructor",
  "-",
  "-x",
  "0",
  "51712",
  "@releaseDomain",
  "_",
  "Z",
  "a",
  "a-b",
];

const PERMS = ["n0", "n5", "r0", "n5 r0", "b7 r5 w6 n0", "n0 r5"].map((text) => parsePerms(text.split(" ")) as Perms);

/** A random edit, to be made by `editRoot`. */
export type Edit =
  | { readonly kind: "set"; readonly names: string[]; readonly value: string; readonly perms: Perms }
  | { readonly kind: "remove"; readonly names: string[] }
  | { readonly kind: "special"; readonly release: boolean; readonly perms: Perms }
  | { readonly kind: "quota"; readonly limit: number | undefined }
  | { readonly kind: "domain"; readonly domid: number; readonly what: number };

const value = fc.oneof(
  fc.constantFrom("", "", "0", "1", "same", "Seq: 7\n\nSeq: 8"),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);
const names = fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 5 });
const perms = fc.constantFrom(...PERMS);

/** Some as 0.1.0 noted them, without the commit. */
function introductionOf(what: number): Introduction | undefined {
  if (what <= 2) return undefined;
  const place = { gfn: what * 1000, port: what };
  return what === 3 ? place : { ...place, commit: { seq: what as Seq, time: (what * 1_000_000) as Microseconds } };
}

/** Edits; most of them set nodes. */
export const arbitraryEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant("set" as const), names, value, perms }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("set" as const), names: fc.constant<string[]>([]), value, perms }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("remove" as const), names }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("special" as const), release: fc.boolean(), perms }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("quota" as const), limit: fc.option(fc.nat(), { nil: undefined }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("domain" as const),
      domid: fc.integer({ min: 1, max: 12 }),
      what: fc.nat(5),
    }),
  },
);

/** Makes one edit. */
export function editRoot(root: Root, edit: Edit, seq: Seq): Root {
  return applyChanges(root, changesOf(root, edit), seq);
}

function changesOf(root: Root, edit: Edit): Change[] {
  switch (edit.kind) {
    case "set":
      return setChanges(root, edit);
    case "remove": {
      const path = joinPath(edit.names);
      const node = getNode(root, path);
      return node === undefined ? [] : [{ kind: "node", path, before: node, after: undefined }];
    }
    case "special": {
      const path = edit.release ? RELEASE_DOMAIN : INTRODUCE_DOMAIN;
      return [{ kind: "special", path, before: edit.perms, after: edit.perms }];
    }
    case "quota":
      return [{ kind: "quota", name: "nodes", before: undefined, after: edit.limit }];
    case "domain": {
      const record = {
        introduction: introductionOf(edit.what),
        target: edit.what === 4 ? (9 as Domid) : undefined,
        features: edit.what === 2 ? 3 : undefined,
        shutdown: edit.what === 5,
        quotas: new Map(
          edit.what === 1
            ? ([
                ["watches", 7],
                ["memory", 0],
              ] as const)
            : [],
        ),
      };
      return [
        { kind: "domain", domid: edit.domid as Domid, before: undefined, after: edit.what === 0 ? undefined : record },
      ];
    }
  }
}

/** Sets a node, its missing parents first. */
function setChanges(root: Root, edit: Extract<Edit, { kind: "set" }>): Change[] {
  const changes: Change[] = [];
  for (let depth = 1; depth < edit.names.length; depth++) {
    const path = joinPath(edit.names.slice(0, depth));
    if (getNode(root, path) === undefined)
      changes.push({ kind: "node", path, before: undefined, after: { value: "", perms: edit.perms } });
  }
  changes.push({
    kind: "node",
    path: joinPath(edit.names),
    before: undefined,
    after: { value: edit.value, perms: edit.perms },
  });
  return changes;
}

/** The root that a list of edits leads to. */
export function rootOfEdits(edits: readonly Edit[]): Root {
  let root = emptyRoot();
  for (const edit of edits) root = editRoot(root, edit, 1 as Seq);
  return root;
}

/** A commit with the net changes between two roots. */
export function commitBetween(before: Root, after: Root, seq: number, details: Partial<Commit> = {}): Commit {
  const changes = diffRoots(before, after);
  const subject = changes.find((change) => change.kind === "node")?.path ?? ("/" as Path);
  return {
    seq: seq as Seq,
    time: (1_780_000_000_000_000 + seq * 1000) as Microseconds,
    origin: {
      domid: (seq % 3) as Domid,
      connection: `socket-${String(seq)}`,
      transaction: seq % 2 === 0 ? (seq as TxId) : undefined,
    },
    base: (seq - 1) as Seq,
    requests: [{ operation: "WRITE", subject, detail: "v", detailBytes: 1 }],
    requestsOmitted: 0,
    changes,
    ...details,
  };
}

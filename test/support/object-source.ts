/** Objects in a map, given as a repository's reader gives them. */
import type { Oid } from "../../daemon/history/object/oid.js";
import type { GitObject } from "../../daemon/history/object/pack-decode.js";
import type { ObjectSource } from "../../daemon/history/object/root-decoder.js";

/** A source that answers from `read`, which throws when there is no such object. */
export function sourceOf(read: (oid: Oid) => GitObject): ObjectSource {
  return {
    read,
    readEach: (oids, visit) => {
      const known = new Map<Oid, GitObject>();
      // By oid and not in the order of arrival, as a reader does.
      for (const index of oids.sorted(0, oids.length)) {
        const oid = oids.at(index);
        const object = known.get(oid) ?? read(oid);
        known.set(oid, object);
        visit(index, object);
      }
    },
  };
}

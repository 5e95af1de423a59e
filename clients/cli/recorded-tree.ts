/**
 * Nodes out of a history, as the commands that read a daemon have them.
 *
 * Owns that a question about a recorded state is answered, and refused, as the daemon would have answered it then: the same
 * paths, also relative ones of domain 0, and the same errors, with the revision in the message.
 */
import { bytesFromText, textFromBytes, type ByteString } from "../../protocol/bytes.js";
import type { NodeStateJson } from "../../protocol/http-api/commit.js";
import type { HistoryQueries } from "../../protocol/http-api/history-queries.js";
import { valueFromJson } from "../../protocol/http-api/value.js";
import type { Domid, Path } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import { parsePath, splitPath } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { XenstoreError } from "../xenstore/errors.js";
import type { ListedNode } from "./format.js";

/** A recorded state. All questions are about the commit that the revision named first, though a branch may go on meanwhile. */
export class RecordedTree {
  readonly #history: HistoryQueries;
  readonly #revision: string;
  #oid: string | undefined;

  /** @param revision - HEAD unless given */
  constructor(history: HistoryQueries, revision = "HEAD") {
    this.#history = history;
    this.#revision = revision;
  }

  /** The value of a node. @throws XenstoreError, QueryError */
  async read(path: ByteString): Promise<ByteString> {
    const absolute = this.#absolute("READ", path);
    const { commit, node } = await this.#history.ask("node", { at: this.#at, path: textFromBytes(absolute) });
    this.#oid = commit.oid;
    if (node === undefined) throw this.#missing("READ", path);
    return valueFromJson(node);
  }

  /** The nodes below a path, in the order of `xs ls`. @throws XenstoreError, QueryError */
  async *below(path: ByteString): AsyncGenerator<ListedNode> {
    const top = this.#absolute("DIRECTORY", path);
    const depthOfTop = splitPath(top).length;
    let cursor: string | undefined;
    do {
      const page = await this.#history.ask("tree", { at: this.#at, path: textFromBytes(top), cursor });
      this.#oid = page.commit.oid;
      if (page.nodes === undefined) throw this.#missing("DIRECTORY", path);
      for (const node of page.nodes) {
        const names = splitPath(bytesFromText(node.path) as Path);
        yield {
          path: joined(path, names.slice(depthOfTop)),
          name: names.at(-1) ?? "",
          depth: names.length - depthOfTop - 1,
          value: valueFromJson(node),
          perms: permsOf(node),
        };
      }
      cursor = page.next;
    } while (cursor !== undefined);
  }

  get #at(): string {
    return this.#oid ?? this.#revision;
  }

  #absolute(operation: OperationName, path: ByteString): Path {
    const absolute = parsePath(path, 0 as Domid);
    if (absolute === undefined) throw new XenstoreError({ operation, subject: path, code: "EINVAL" });
    return absolute;
  }

  #missing(operation: OperationName, path: ByteString): XenstoreError {
    const reason = `does not exist at ${this.#revision}`;
    return new XenstoreError({ operation, subject: path, code: "ENOENT", reason });
  }
}

function joined(top: ByteString, names: readonly string[]): ByteString {
  return `${top === "/" ? "" : top}/${names.join("/")}`;
}

function permsOf({ perms }: NodeStateJson): Perms | undefined {
  return parsePerms(perms);
}

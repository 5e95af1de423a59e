/**
 * Nodes out of a history, as the commands that read a daemon have them.
 *
 * Owns that a question about a recorded state is answered as the daemon would have answered it then, for the same paths, also
 * relative ones of domain 0. A node that is not there is a bad command line, as a commit that is not there is.
 */
import { bytesFromText, textFromBytes, type ByteString } from "../../protocol/bytes.js";
import type { NodeStateJson } from "../../protocol/http-api/commit.js";
import type { HistoryQueries } from "../../protocol/http-api/history-queries.js";
import { escapeValue } from "../../protocol/escape.js";
import { valueFromJson } from "../../protocol/http-api/value.js";
import type { Path } from "../../protocol/identifiers.js";
import type { OperationName } from "../../protocol/operation.js";
import { splitPath } from "../../protocol/path.js";
import { parsePerms, type Perms } from "../../protocol/perms.js";
import { XenstoreError } from "../xenstore/errors.js";
import { EXIT_USAGE, ExitError } from "./exit.js";
import type { ListedNode } from "./format.js";
import { recordedPath } from "./recorded-path.js";

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

  /** The value of a node. @throws ExitError, QueryError */
  async read(path: ByteString): Promise<ByteString> {
    const absolute = recordedPath(textFromBytes(path));
    const { commit, node, absence } = await this.#history.ask("node", { at: this.#at, path: absolute });
    this.#oid = commit.oid;
    if (node === undefined) throw this.#missing({ operation: "READ", path, absence });
    return valueFromJson(node);
  }

  /** The nodes below a path, in the order of `xs ls`. @throws ExitError, QueryError */
  async *below(path: ByteString): AsyncGenerator<ListedNode> {
    const top = recordedPath(textFromBytes(path));
    const depthOfTop = splitPath(bytesFromText(top) as Path).length;
    let cursor: string | undefined;
    do {
      const page = await this.#history.ask("tree", { at: this.#at, path: top, cursor });
      this.#oid = page.commit.oid;
      if (page.nodes === undefined) {
        throw this.#missing({ operation: "DIRECTORY", path, absence: page.absence });
      }
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

  #missing({ operation, path, absence = "is the path right?" }: MissingNode): ExitError {
    const message = `there is no node ${escapeValue(path)} at ${this.#revision}: ${absence}`;
    const cause = new XenstoreError({ operation, subject: path, code: "ENOENT" });
    return new ExitError(EXIT_USAGE, message, { cause });
  }
}

/** What was asked about, and what was answered. */
interface MissingNode {
  readonly operation: OperationName;
  readonly path: ByteString;
  readonly absence: string | undefined;
}

function joined(top: ByteString, names: readonly string[]): ByteString {
  return `${top === "/" ? "" : top}/${names.join("/")}`;
}

function permsOf({ perms }: NodeStateJson): Perms | undefined {
  return parsePerms(perms);
}

/**
 * What a change is, in words and lines.
 *
 * Owns how each kind of change (`protocol/http-api/commit.ts`) is told; without a browser, so that it can be tested.
 */
import type { ChangeJson, DomainRecordJson, NodeStateJson } from "../../../protocol/http-api/commit.js";
import { permsInWords } from "../words/perms.js";
import { valueInWords } from "../words/values.js";
import { isStateNode, xenbusStateName } from "../words/xenbus.js";

/** A change as it is shown: what it is about, what became of it, and lines that went and came. */
export interface ToldChange {
  readonly subject: string;
  /** Of a node; undefined for what is none. */
  readonly path: string | undefined;
  readonly kind: "came" | "went" | "changed";
  readonly lines: readonly ToldLine[];
}

/** A line of a difference. */
export interface ToldLine {
  readonly sign: "+" | "-";
  readonly text: string;
}

/** No value is told so: in those a backslash is two. */
const EMPTY = "\\empty";

/** A change in words. */
export function tellChange(change: ChangeJson): ToldChange {
  switch (change.kind) {
    case "node":
      return { subject: change.path, path: change.path, ...tellBoth(change, (state) => nodeLines(change.path, state)) };
    case "special":
      return {
        subject: `watch permissions of ${change.path}`,
        path: undefined,
        ...tellBoth(change, (perms) => [permsInWords(perms)]),
      };
    case "quota":
      return {
        subject: `quota ${change.name}`,
        path: undefined,
        ...tellBoth(change, (limit) => [limit === 0 ? "unlimited" : String(limit)]),
      };
    case "domain":
      return { subject: `domain ${String(change.domid)}`, path: undefined, ...tellBoth(change, domainLines) };
  }
}

function tellBoth<State>(
  { before, after }: { readonly before?: State | undefined; readonly after?: State | undefined },
  linesOf: (state: State) => readonly string[],
): Pick<ToldChange, "kind" | "lines"> {
  const old = before === undefined ? [] : linesOf(before);
  const fresh = after === undefined ? [] : linesOf(after);
  const went = old.filter((line) => !fresh.includes(line)).map((text): ToldLine => ({ sign: "-", text }));
  const came = fresh.filter((line) => !old.includes(line)).map((text): ToldLine => ({ sign: "+", text }));
  return { kind: before === undefined ? "came" : after === undefined ? "went" : "changed", lines: [...went, ...came] };
}

function nodeLines(path: string, node: NodeStateJson): readonly string[] {
  const text = valueInWords(node);
  const state = isStateNode(path) ? xenbusStateName(text) : undefined;
  const value = text === "" ? EMPTY : state === undefined ? text : `${text} ${state}`;
  return [value, permsInWords(node.perms)];
}

function introductionInWords({ gfn, port, seq }: NonNullable<DomainRecordJson["introduction"]>): string {
  const by = seq === undefined ? "" : ` by commit ${String(seq)}`;
  return `introduced${by} with gfn ${String(gfn)} and port ${String(port)}`;
}

function domainLines({ introduction, target, features, shutdown, quotas }: DomainRecordJson): readonly string[] {
  return [
    introduction === undefined ? "not introduced" : introductionInWords(introduction),
    ...(shutdown ? ["shut down"] : []),
    ...(target === undefined ? [] : [`acts for domain ${String(target)}`]),
    ...(features === undefined ? [] : [`features ${String(features)}`]),
    ...Object.entries(quotas).map(([name, limit]) => `quota ${name} ${String(limit)}`),
  ];
}

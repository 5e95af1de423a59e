/**
 * One node: its value, its permissions in words, its history, and who made what is below it.
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { NodeJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { nameOf, type Moment } from "../shell/moment.js";
import { linkTo } from "../shell/navigation.js";
import { Tabs } from "../shell/tabs.js";
import { Trouble } from "../shell/trouble.js";
import { permsInWords } from "../words/perms.js";
import { valueInWords } from "../words/values.js";
import { isStateNode, xenbusStateName } from "../words/xenbus.js";
import { BlameList } from "./blame-list.js";
import { NodeHistory } from "./node-history.js";

const TABS = ["history", "blame"] as const;
const TAB_TITLES = { history: "History", blame: "Blame" } as const;

/** The panel. */
export function NodePanel({ commit, path }: { readonly commit: Moment; readonly path: string }): JSX.Element {
  const { answer, error } = useLatest(`${commit.oid} ${path}`, (ended) => ask("node", { at: commit.oid, path }, ended));
  const [tab, setTab] = useState<(typeof TABS)[number]>("history");
  return (
    <section class="panel">
      <h2 class="mono">{path}</h2>
      <Trouble error={error} />
      {error === undefined &&
        answer !== undefined &&
        (answer.node === undefined ? (
          <p class="muted">There is no such node at this moment.</p>
        ) : (
          <NodeState node={answer.node} />
        ))}
      <p class="toolbar">
        <a href={linkTo("boot", { at: nameOf(commit), path, domain: domainOf(path) })}>See it as a conversation</a>
        <a href={linkTo("rollback", { at: nameOf(commit), path })}>Roll back to this moment</a>
      </p>
      <Tabs tabs={TABS} titles={TAB_TITLES} chosen={tab} choose={setTab}>
        {tab === "history" ? <NodeHistory commit={commit} path={path} /> : <BlameList commit={commit} path={path} />}
      </Tabs>
    </section>
  );
}

function NodeState({ node }: { readonly node: NodeJson }): JSX.Element {
  const text = valueInWords(node);
  const state = isStateNode(node.path) ? xenbusStateName(text) : undefined;
  return (
    <dl>
      <dt>Value</dt>
      <dd>
        {text === "" ? <span class="muted">empty</span> : <code>{text}</code>}
        {state !== undefined && ` ${state}`}
      </dd>
      <dt>Permissions</dt>
      <dd>
        {permsInWords(node.perms)} <code class="muted">{node.perms.join(" ")}</code>
      </dd>
    </dl>
  );
}

/** The domain that a path is about. */
function domainOf(path: string): string | undefined {
  const [, backend] = /^\/local\/domain\/\d+\/backend\/[^/]+\/(\d+)/.exec(path) ?? [];
  const [, domain] = /^\/local\/domain\/(\d+)/.exec(path) ?? [];
  return backend ?? (domain === "0" ? undefined : domain);
}

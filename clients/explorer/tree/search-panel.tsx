/**
 * Nodes with a text in their path or value.
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { CommitSummaryJson, NodeJson } from "../../../protocol/http-api/commit.js";
import { ask } from "../api/client.js";
import { isAtTip } from "../shell/moment.js";
import { show } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { VirtualList } from "../shell/virtual-list.js";
import { commitInWords } from "../words/commits.js";
import { counted } from "../words/times.js";
import { valueInWords } from "../words/values.js";

/** So long is waited for another letter. */
const TYPING_MILLISECONDS = 200;
const NODES_MAX = 5000;

interface Found {
  readonly nodes: readonly NodeJson[];
  readonly isDone: boolean;
  readonly error?: unknown;
  /** In whose state. */
  readonly of: CommitSummaryJson;
}

/** What is found in the state of a commit. */
export function SearchPanel({
  commit,
  text,
}: {
  readonly commit: CommitSummaryJson;
  readonly text: string;
}): JSX.Element {
  const [found, setFound] = useState<Found>({ nodes: [], isDone: false, of: commit });
  useEffect(() => {
    const ended = new AbortController();
    const timer = setTimeout(() => {
      setFound({ nodes: [], isDone: false, of: commit });
      void search(commit, text, { told: setFound, ended: ended.signal });
    }, TYPING_MILLISECONDS);
    return () => {
      clearTimeout(timer);
      ended.abort();
    };
    // What follows the tip would begin anew with each commit, and never end.
  }, [isAtTip.value ? "" : commit.oid, text]);
  const { nodes, isDone, error, of } = found;
  const extent =
    nodes.length >= NODES_MAX
      ? `the first ${counted(nodes.length, "node")}: type more of it`
      : counted(nodes.length, "node");
  return (
    <>
      <Trouble error={error} />
      <p role="status" class="muted">
        {isDone ? extent : `${extent} so far …`}, as of {commitInWords(of)}
      </p>
      <VirtualList
        class="panel fill mono"
        role="list"
        aria-label="Nodes found"
        tabIndex={0}
        count={nodes.length}
        row={(index) => {
          const node = nodes[index];
          return node && <FoundRow key={node.path} node={node} />;
        }}
      />
    </>
  );
}

function FoundRow({ node }: { readonly node: NodeJson }): JSX.Element {
  return (
    <div class="row" role="listitem">
      <button
        type="button"
        class="link"
        onClick={() => {
          show({ path: node.path, find: undefined });
        }}
      >
        {node.path}
      </button>
      <span class="text muted">{valueInWords(node)}</span>
    </div>
  );
}

async function search(
  of: CommitSummaryJson,
  text: string,
  { told, ended }: { readonly told: (found: Found) => void; readonly ended: AbortSignal },
): Promise<void> {
  let nodes: readonly NodeJson[] = [];
  let cursor: string | undefined;
  try {
    do {
      const page = await ask("tree", { at: of.oid, text, cursor }, ended);
      nodes = [...nodes, ...(page.nodes ?? [])];
      cursor = page.next;
      told({ of, nodes, isDone: cursor === undefined || nodes.length >= NODES_MAX });
    } while (cursor !== undefined && nodes.length < NODES_MAX);
  } catch (error) {
    if (!ended.aborted) told({ of, nodes, isDone: true, error });
  }
}

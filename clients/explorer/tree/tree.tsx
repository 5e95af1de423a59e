/**
 * The tree itself, as the keyboard has trees (https://www.w3.org/WAI/ARIA/apg/patterns/treeview/).
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import type { CommitJson } from "../../../protocol/http-api/commit.js";
import { useLatest } from "../api/use-latest.js";
import { show } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { VirtualList } from "../shell/virtual-list.js";
import { valueInWords } from "../words/values.js";
import { loadTree, wantMore } from "./tree-loader.js";
import { parentOf, pathsAbove, touchedBy, treeRows, type Touch, type TreeRow } from "./tree-rows.js";

const UNFOLDED_AT_FIRST = ["/local", "/local/domain"];
/** A row of a tree moves in by so much with each level, as far as the screen goes. */
const INDENT_PIXELS = 16;
const LEVELS_INDENTED_MAX = 24;

const TOUCH_WORDS: Readonly<Record<Touch, readonly [string, string]>> = {
  came: ["+", "came with this commit"],
  changed: ["~", "changed with this commit"],
  below: ["·", "something below changed with this commit"],
};

/** The tree of a commit. @param path - the node that is chosen */
export function Tree({ commit, path }: { readonly commit: CommitJson; readonly path: string }): JSX.Element {
  const [unfolded, setUnfolded] = useState<ReadonlySet<string>>(() => new Set([...UNFOLDED_AT_FIRST, ...above(path)]));
  useEffect(() => {
    setUnfolded((before) =>
      above(path).every((each) => before.has(each)) ? before : new Set([...before, ...above(path)]),
    );
  }, [path]);
  const [pages, setPages] = useState(0);
  const key = `${commit.oid} ${String(pages)} ${path} ${[...unfolded].sort().join(" ")}`;
  const tree = useLatest(key, (ended) => loadTree(commit, { unfolded, chosen: path }, ended));
  const touched = useMemo(() => touchedBy(commit.changes ?? []), [commit.oid]);
  const { answer } = tree;
  const rows = useMemo(
    () => (answer === undefined ? [] : treeRows({ loaded: answer.loaded, unfolded, touched })),
    [answer, unfolded, touched],
  );
  const acts: TreeActs = {
    choose: (chosen) => {
      show({ path: chosen }, false);
    },
    fold: (folder, isUnfolded) => {
      setUnfolded((before) =>
        isUnfolded ? new Set([...before, folder]) : new Set([...before].filter((each) => each !== folder)),
      );
    },
    more: (folder) => {
      wantMore(folder);
      setPages((count) => count + 1);
    },
  };
  const chosen = rows.findIndex((row) => row.kind === "node" && row.path === path);
  return (
    <>
      <Trouble error={tree.error} />
      <VirtualList
        class="panel fill mono tree"
        role="tree"
        aria-label="Nodes"
        aria-busy={tree.isLoading}
        tabIndex={0}
        shownId={rowId}
        count={rows.length}
        shown={chosen < 0 ? undefined : chosen}
        onKeyDown={(event) => {
          // Together with others they are the browser's.
          if (event.altKey || event.ctrlKey || event.metaKey) return;
          if (press(event.key, { rows, chosen, acts })) event.preventDefault();
        }}
        row={(index) => {
          const row = rows[index];
          return (
            row && (
              <Row key={`${row.kind} ${row.path}`} row={row} index={index} isChosen={index === chosen} acts={acts} />
            )
          );
        }}
      />
    </>
  );
}

interface TreeActs {
  readonly choose: (path: string) => void;
  readonly fold: (path: string, isUnfolded: boolean) => void;
  readonly more: (path: string) => void;
}

function above(path: string): readonly string[] {
  return pathsAbove(path).filter((each) => each !== "/");
}

function rowId(index: number): string {
  return `tree-row-${String(index)}`;
}

interface RowProps {
  readonly row: TreeRow;
  readonly index: number;
  readonly isChosen: boolean;
  readonly acts: TreeActs;
}

function Row({ row, index, isChosen, acts }: RowProps): JSX.Element {
  const indent = { paddingLeft: `${String(Math.min(row.level, LEVELS_INDENTED_MAX) * INDENT_PIXELS - 8)}px` };
  if (row.kind === "more") {
    return (
      <div
        class="row"
        role="treeitem"
        aria-level={row.level}
        style={indent}
        onClick={() => {
          acts.more(row.path);
        }}
      >
        <span class="link">… more below {row.path}</span>
      </div>
    );
  }
  const { path, name, level, node, isFolder, isUnfolded, touch, position, siblings } = row;
  const [sign = "", words = ""] = touch === undefined ? [] : TOUCH_WORDS[touch];
  return (
    <div
      id={rowId(index)}
      class={`row ${touch === undefined ? "" : `touch-${touch}`}`}
      role="treeitem"
      aria-level={level}
      aria-setsize={siblings}
      aria-posinset={position}
      aria-expanded={isFolder ? isUnfolded : undefined}
      aria-selected={isChosen}
      style={indent}
      onClick={() => {
        acts.choose(path);
      }}
      onDblClick={() => {
        if (isFolder) acts.fold(path, !isUnfolded);
      }}
    >
      <span
        class="fold"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          if (isFolder) acts.fold(path, !isUnfolded);
        }}
      >
        {isFolder ? (isUnfolded ? "▾" : "▸") : ""}
      </span>
      <span
        class="touch"
        title={words}
        aria-label={words === "" ? undefined : words}
        role={words === "" ? undefined : "img"}
      >
        {sign}
      </span>
      <span>{name}</span>
      <span class="text muted">{"value" in node && node.value === "" ? "" : valueInWords(node)}</span>
    </div>
  );
}

interface Pressed {
  readonly rows: readonly TreeRow[];
  readonly chosen: number;
  readonly acts: TreeActs;
}

/** Whether a key means something here. */
function press(key: string, pressed: Pressed): boolean {
  const act = TREE_KEYS[key];
  act?.(pressed);
  return act !== undefined;
}

const TREE_KEYS: Readonly<Record<string, (pressed: Pressed) => void>> = {
  ArrowDown: ({ rows, chosen, acts }) => {
    chooseFrom(rows, chosen + 1, 1, acts);
  },
  ArrowUp: ({ rows, chosen, acts }) => {
    chooseFrom(rows, chosen - 1, -1, acts);
  },
  Home: ({ rows, acts }) => {
    chooseFrom(rows, 0, 1, acts);
  },
  End: ({ rows, acts }) => {
    chooseFrom(rows, rows.length - 1, -1, acts);
  },
  ArrowRight: ({ rows, chosen, acts }) => {
    const row = rows[chosen];
    if (row?.kind !== "node" || !row.isFolder) return;
    if (row.isUnfolded) chooseFrom(rows, chosen + 1, 1, acts);
    else acts.fold(row.path, true);
  },
  ArrowLeft: ({ rows, chosen, acts }) => {
    const row = rows[chosen];
    if (row?.kind !== "node") return;
    if (row.isUnfolded) acts.fold(row.path, false);
    else acts.choose(parentOf(row.path));
  },
  Enter: ({ rows, chosen, acts }) => {
    const row = rows[chosen];
    if (row?.kind === "node" && row.isFolder) acts.fold(row.path, !row.isUnfolded);
  },
};

/** Chooses the first node from a row on, in one direction; what stands for more on the way down has that loaded instead. */
function chooseFrom(rows: readonly TreeRow[], from: number, step: 1 | -1, acts: TreeActs): void {
  for (let at = Math.max(0, from); at >= 0 && at < rows.length; at += step) {
    const row = rows[at];
    if (row?.kind === "node") {
      acts.choose(row.path);
      return;
    }
    if (row !== undefined && step === 1) {
      acts.more(row.path);
      return;
    }
  }
}

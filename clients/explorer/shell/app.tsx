/**
 * The page: the menu, and the view that the address names.
 */
import type { ComponentType, JSX } from "preact";
import { historyTrouble } from "../api/client.js";
import { isTokenWanted } from "../api/token.js";
import { BisectView } from "../bisect/bisect-view.js";
import { BootView } from "../boot/boot-view.js";
import { RollbackView } from "../change/rollback-view.js";
import { CommitView } from "../commit/commit-view.js";
import { DescriptionView } from "../description/description-view.js";
import { LiveView } from "../live/live-view.js";
import { TreeView } from "../tree/tree-view.js";
import { linkTo, place } from "./navigation.js";
import { VIEWS, type Members, type ViewName } from "./place.js";
import { nextTheme, themeChoice } from "./theme.js";
import { TokenDialog } from "./token-dialog.js";

const TITLES: Readonly<Record<ViewName, string>> = {
  tree: "Tree",
  boot: "Boot",
  commit: "Commit",
  bisect: "Bisect",
  rollback: "Rollback",
  live: "Live",
  api: "API",
};

const COMPONENTS: Readonly<Record<ViewName, ComponentType>> = {
  tree: TreeView,
  boot: BootView,
  commit: CommitView,
  bisect: BisectView,
  rollback: RollbackView,
  live: LiveView,
  api: DescriptionView,
};

/** The page. */
export function App(): JSX.Element {
  const { view, members } = place.value;
  const View = COMPONENTS[view];
  document.title = `${TITLES[view]} · xenstore-tng`;
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the view
      </a>
      <header class="bar">
        <span class="brand">xenstore-tng</span>
        <nav aria-label="Views">
          {VIEWS.map((name) => (
            <a key={name} href={linkTo(name, carried(members))} aria-current={name === view ? "page" : undefined}>
              {TITLES[name]}
            </a>
          ))}
        </nav>
        <button type="button" onClick={nextTheme} title="light, dark, or as the system has it">
          Theme: {themeChoice}
        </button>
      </header>
      <main id="main" tabIndex={-1} class={`view view-${view}`}>
        <h1 class="for-screen-readers">{TITLES[view]}</h1>
        {historyTrouble.value !== undefined && (
          <p class="notice" role="status">
            What is shown is not as of now: {historyTrouble}
          </p>
        )}
        <View />
      </main>
      {isTokenWanted.value && <TokenDialog />}
    </>
  );
}

/** What goes along from view to view: the moment and the path. */
function carried({ at, path }: Members): Members {
  return { at, path };
}

function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

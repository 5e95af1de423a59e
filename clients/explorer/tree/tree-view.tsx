/**
 * The tree at a moment: nodes on the left, the one that was chosen on the right, time on top.
 */
import type { JSX } from "preact";
import { moment } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { Timeline } from "../timeline/timeline.js";
import { ChangedNodes } from "./changed-nodes.js";
import { NodePanel } from "./node-panel.js";
import { SearchPanel } from "./search-panel.js";
import { Tree } from "./tree.js";

/** The view. */
export function TreeView(): JSX.Element {
  const { answer: commit, error } = moment.value;
  const { path = "/", find = "" } = place.value.members;
  return (
    <>
      <Timeline />
      <Trouble error={commit === undefined ? error : undefined} />
      <div class="columns">
        <section class="column" aria-label="Nodes">
          <label class="toolbar">
            Find
            <input
              class="grow"
              type="search"
              placeholder="in paths and values at this moment"
              value={find}
              onInput={({ currentTarget }) => {
                show({ find: currentTarget.value }, false);
              }}
            />
          </label>
          {commit !== undefined &&
            (find === "" ? <Tree commit={commit} path={path} /> : <SearchPanel commit={commit} text={find} />)}
        </section>
        <section class="column scroll" aria-label="Node">
          {commit !== undefined && <NodePanel key={path} commit={commit} path={path} />}
          {commit !== undefined && <ChangedNodes commit={commit} />}
        </section>
      </div>
    </>
  );
}

/**
 * What the picture shows, as text: the same stretch, the same selection.
 */
import type { JSX } from "preact";
import { VirtualList } from "../shell/virtual-list.js";
import type { Span } from "../timeline/density-scale.js";
import { counted } from "../words/times.js";
import { entryInWords, offsetInWords } from "./entry-words.js";
import { placeOfEntry } from "./hit.js";
import type { Entry, Scene } from "./scene.js";
import { firstFrom } from "./visible.js";

interface EntryListProps {
  readonly scene: Scene;
  readonly view: Span;
  readonly selected: Entry | undefined;
  readonly select: (entry: Entry | undefined) => void;
}

const PAGE_ROWS = 10;

/** The list. */
export function EntryList({ scene, view, selected, select }: EntryListProps): JSX.Element {
  const { entries } = scene;
  const timeAt = (place: number): number => entries[place]?.time ?? 0;
  const first = firstFrom(entries.length, timeAt, view.from);
  const count = firstFrom(entries.length, timeAt, view.to + 1) - first;
  const chosen = selected === undefined ? -1 : placeOfEntry(scene, selected) - first;
  const isSeen = chosen >= 0 && chosen < count;
  const pressed = (event: KeyboardEvent): void => {
    const to = placeAfter(event.key, isSeen ? chosen : undefined, count);
    if (to === undefined && event.key !== "Escape") return;
    event.preventDefault();
    select(to === undefined ? undefined : entries[first + to]);
  };
  return (
    <section class="boot-list column" aria-label="What is in view">
      <h2>In view: {counted(count, "thing")}</h2>
      <VirtualList
        class="panel fill"
        role="listbox"
        aria-label="Requests, events, transactions and states in view, by time"
        aria-activedescendant={isSeen ? rowId(first + chosen) : undefined}
        tabIndex={0}
        count={count}
        shown={isSeen ? chosen : undefined}
        onKeyDown={pressed}
        row={(index) => {
          const entry = entries[first + index];
          if (entry === undefined) return null;
          return (
            <Row
              key={first + index}
              id={rowId(first + index)}
              scene={scene}
              entry={entry}
              isChosen={index === chosen}
              choose={() => {
                select(entry);
              }}
            />
          );
        }}
      />
    </section>
  );
}

/** Where a key leads from a row, or from none; undefined for keys that lead nowhere. */
function placeAfter(key: string, from: number | undefined, count: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowDown: from === undefined ? 0 : from + 1,
    ArrowUp: from === undefined ? 0 : from - 1,
    PageDown: (from ?? 0) + PAGE_ROWS,
    PageUp: (from ?? 0) - PAGE_ROWS,
    Home: 0,
    End: count - 1,
  };
  const to = steps[key];
  return to === undefined || count === 0 ? undefined : Math.min(Math.max(to, 0), count - 1);
}

interface RowProps {
  readonly id: string;
  readonly scene: Scene;
  readonly entry: Entry;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

function Row({ id, scene, entry, isChosen, choose }: RowProps): JSX.Element {
  const { sign, lane, what, isBad } = entryInWords(scene, entry);
  return (
    <div
      id={id}
      class={isBad ? "row boot-row boot-bad" : "row boot-row"}
      role="option"
      aria-selected={isChosen}
      onClick={choose}
    >
      <span class="boot-time">{offsetInWords(entry.time - scene.from)}</span>
      <span class="boot-lane">{lane}</span>
      <span class="text mono">
        {sign} {what}
      </span>
    </div>
  );
}

function rowId(place: number): string {
  return `boot-entry-${String(place)}`;
}

/**
 * A list of any length, of which only what can be seen is in the page.
 *
 * Owns which rows those are. All rows have one height.
 */
import type { ComponentChildren, HTMLAttributes, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** The height of a row in pixels; the style sheet has the same. */
const ROW_PIXELS = 24;
/** So many rows beyond the edges are there too, so that nothing is missing while it moves. */
const MARGIN_ROWS = 8;

/** What a list is made of. */
export interface VirtualListProps extends Omit<HTMLAttributes<HTMLDivElement>, "children" | "ref"> {
  readonly count: number;
  readonly row: (index: number) => ComponentChildren;
  /** A row that is to be seen, whenever another one is named. */
  readonly shown?: number | undefined;
  /** The id of a row's element: assistive technology is told of the row that is shown, as long as it is in the page. */
  readonly shownId?: ((index: number) => string) | undefined;
  /** Told when the last row can be seen. */
  readonly atEnd?: (() => void) | undefined;
}

/** The list. */
export function VirtualList({
  count,
  row,
  shown,
  shownId,
  atEnd,
  class: className,
  ...rest
}: VirtualListProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 0 });
  const look = (): void => {
    const { scrollTop = 0, clientHeight = 0 } = box.current ?? {};
    setView((before) =>
      before.top === scrollTop && before.height === clientHeight ? before : { top: scrollTop, height: clientHeight },
    );
  };
  useLayoutEffect(() => {
    look();
    const observer = new ResizeObserver(look);
    if (box.current !== null) observer.observe(box.current);
    return () => {
      observer.disconnect();
    };
  }, []);
  useLayoutEffect(() => {
    if (shown !== undefined && box.current !== null) bringIntoView(box.current, shown);
    look();
  }, [shown, count]);
  const first = Math.max(0, Math.floor(view.top / ROW_PIXELS) - MARGIN_ROWS);
  const last = Math.min(count, Math.ceil((view.top + view.height) / ROW_PIXELS) + MARGIN_ROWS);
  const isAtEnd = view.height > 0 && (view.top + view.height) / ROW_PIXELS >= count - 1;
  useEffect(() => {
    if (isAtEnd) atEnd?.();
  }, [isAtEnd, count]);
  const rows: ComponentChildren[] = [];
  for (let index = first; index < last; index++) rows.push(row(index));
  const isShown = shown !== undefined && shown >= first && shown < last;
  return (
    <div
      {...rest}
      {...(isShown && shownId !== undefined ? { "aria-activedescendant": shownId(shown) } : {})}
      ref={box}
      onScroll={look}
      class={`virtual-list ${typeof className === "string" ? className : ""}`}
    >
      <div class="virtual-list-whole" role="presentation" style={{ height: `${String(count * ROW_PIXELS)}px` }}>
        <div role="presentation" style={{ transform: `translateY(${String(first * ROW_PIXELS)}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}

function bringIntoView(box: HTMLElement, index: number): void {
  const top = index * ROW_PIXELS;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + ROW_PIXELS > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_PIXELS - box.clientHeight;
}

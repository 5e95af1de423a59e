/**
 * The picture of a scene.
 *
 * Owns the canvas: its size, what pointer and keys do to the stretch that is shown, and what is said at the pointer. What it shows is in the
 * list beside it, too, for those who cannot see it.
 */
import type { JSX } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { theme } from "../shell/theme.js";
import { within, zoomed, type Span } from "../timeline/density-scale.js";
import { counted } from "../words/times.js";
import { entryInWords, offsetInWords } from "./entry-words.js";
import { entryAt, type Hit, type Point } from "./hit.js";
import { GUTTER_PIXELS, HEAD_PIXELS, lanesBetween, layoutOf, type LaneHeight, type Layout } from "./layout.js";
import { paint, type NamedMoment } from "./painter.js";
import { currentPalette } from "./palette.js";
import type { Entry, Scene } from "./scene.js";
import { markOf, visible, type Seen, type Sight } from "./visible.js";

/** What is shown, and what can be done. */
export interface BootCanvasProps {
  readonly scene: Scene;
  readonly height: LaneHeight | undefined;
  /** The stretch that is shown, and the whole. */
  readonly view: Span;
  readonly whole: Span;
  readonly selected: Entry | undefined;
  /** What times are counted from. */
  readonly origin: number;
  readonly moments: readonly NamedMoment[];
  readonly look: (view: Span) => void;
  readonly select: (entry: Entry | undefined) => void;
}

/** Nothing is told apart below this. */
export const LEAST_MICROSECONDS = 20;
const ZOOM = 1.25;
const KEY_ZOOM = 2;
const CLICK_ZOOM = 4;
/** Of the stretch, with each key. */
const KEY_SHARE = 0.15;
const KEY_SCROLL_PIXELS = 60;
/** A pointer that moved further drags. */
const DRAG_PIXELS = 4;

interface Box {
  readonly width: number;
  readonly height: number;
  readonly scrollTop: number;
}

/** The picture. */
export function BootCanvas(props: BootCanvasProps): JSX.Element {
  const { scene, view, look, whole } = props;
  const outer = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const layout = useMemo(() => layoutOf(scene, props.height), [scene, props.height]);
  const box = useBox(outer);
  const { sight, seen } = useSeen(scene, view, layout, box);
  usePainting(canvas, { props, layout, box, sight, seen });
  const [tip, setTip] = useState<Tip | undefined>(undefined);
  const drag = useDrag(props, sight, outer);
  const pointOf = (event: MouseEvent): Point => {
    const { left = 0, top = 0 } = canvas.current?.getBoundingClientRect() ?? {};
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const hitAt = ({ x, y }: Point): Hit | undefined =>
    x < GUTTER_PIXELS || y < HEAD_PIXELS
      ? undefined
      : entryAt(scene, seen, layout, { x: x - GUTTER_PIXELS, y: y - HEAD_PIXELS + box.scrollTop });
  const timeAt = (x: number): number => view.from + ((x - GUTTER_PIXELS) / sight.width) * (view.to - view.from);
  const zoom = (factor: number, around: number): void => {
    look(zoomed(view, { factor, around, whole, least: LEAST_MICROSECONDS }));
  };
  return (
    <div class="boot-picture-frame">
      <div
        ref={outer}
        class="boot-picture"
        role="application"
        aria-roledescription="diagram"
        aria-label="Diagram of requests, events, transactions and states. Plus and minus zoom, arrow keys move, 0 shows all. The list has the same as text."
        tabIndex={0}
        onKeyDown={(event) => {
          pressed(event, props, outer.current);
        }}
        onPointerDown={drag.begin}
        onPointerMove={(event) => {
          if (drag.move(event)) setTip(undefined);
          else setTip(tipOf(props, hitAt(pointOf(event)), pointOf(event)));
        }}
        onPointerUp={(event) => {
          if (!drag.end()) props.select(hitAt(pointOf(event))?.entry);
        }}
        onPointerLeave={() => {
          setTip(undefined);
        }}
        onDblClick={(event) => {
          zoom(1 / CLICK_ZOOM, timeAt(pointOf(event).x));
        }}
        onWheel={(event) => {
          const { x } = pointOf(event);
          // Over the names it scrolls, as everywhere.
          if (x < GUTTER_PIXELS || event.shiftKey) return;
          event.preventDefault();
          zoom(event.deltaY < 0 ? 1 / ZOOM : ZOOM, timeAt(x));
        }}
      >
        <div class="boot-picture-whole" style={{ height: `${String(HEAD_PIXELS + layout.total)}px` }}>
          <canvas
            ref={canvas}
            aria-hidden="true"
            style={{ width: `${String(box.width)}px`, height: `${String(box.height)}px` }}
          />
        </div>
      </div>
      {tip !== undefined && <TipBox tip={tip} box={box} />}
    </div>
  );
}

/** The size of a box, and how far it is scrolled. */
function useBox(outer: { readonly current: HTMLDivElement | null }): Box {
  const [box, setBox] = useState<Box>({ width: 0, height: 0, scrollTop: 0 });
  useLayoutEffect(() => {
    const element = outer.current;
    if (element === null) return undefined;
    const measure = (): void => {
      const { clientWidth: width, clientHeight: height, scrollTop } = element;
      setBox({ width, height, scrollTop });
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  return box;
}

interface SeenSight {
  readonly sight: Sight;
  readonly seen: Seen;
}

function useSeen(scene: Scene, view: Span, layout: Layout, { width, height, scrollTop }: Box): SeenSight {
  return useMemo(() => {
    const lanes = lanesBetween(layout, scrollTop, scrollTop + height - HEAD_PIXELS);
    const sight = {
      ...{ from: view.from, to: view.to, width: Math.max(1, width - GUTTER_PIXELS), ...lanes },
      isMerged: layout.height !== "tall",
    };
    return { sight, seen: visible(scene, sight) };
  }, [scene, view.from, view.to, layout, width, height, scrollTop]);
}

interface Paintable extends SeenSight {
  readonly props: BootCanvasProps;
  readonly layout: Layout;
  readonly box: Box;
}

function usePainting(
  canvas: { readonly current: HTMLCanvasElement | null },
  { props, layout, box, sight, seen }: Paintable,
): void {
  const shade = theme.value;
  const palette = useMemo(currentPalette, [shade]);
  const { scene, selected, origin, moments } = props;
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (element === null || context === null || context === undefined || box.width === 0) return;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(box.width * ratio), Math.round(box.height * ratio)];
    // Another size clears it, so it has it only when that changed.
    if (element.width !== width) element.width = width;
    if (element.height !== height) element.height = height;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const selectedMark = selected?.kind === "arrow" ? markOf(seen.marks, scene, sight, selected.index) : undefined;
    paint({ context, ...box, scene, sight, seen, layout, palette, selected, selectedMark, origin, moments });
  }, [seen, sight, layout, box, palette, selected?.kind, selected?.index, origin, ...moments.map(({ time }) => time)]);
}

interface Drag {
  readonly begin: (event: PointerEvent) => void;
  /** Whether it is being dragged. */
  readonly move: (event: PointerEvent) => boolean;
  /** Whether it was dragged. */
  readonly end: () => boolean;
}

function useDrag(
  { view, whole, look }: BootCanvasProps,
  sight: Sight,
  outer: { readonly current: HTMLDivElement | null },
): Drag {
  const start = useRef<
    { readonly x: number; readonly y: number; readonly view: Span; readonly top: number } | undefined
  >(undefined);
  const hasMoved = useRef(false);
  return {
    begin: (event) => {
      hasMoved.current = false;
      if (event.button !== 0 || outer.current === null) return;
      // A press on the scroll bar is no drag.
      if (event.offsetX > outer.current.clientWidth && event.target === outer.current) return;
      outer.current.setPointerCapture(event.pointerId);
      start.current = { x: event.clientX, y: event.clientY, view, top: outer.current.scrollTop };
    },
    move: (event) => {
      if (start.current === undefined || outer.current?.hasPointerCapture(event.pointerId) !== true) return false;
      const [x, y] = [event.clientX - start.current.x, event.clientY - start.current.y];
      hasMoved.current ||= Math.abs(x) + Math.abs(y) > DRAG_PIXELS;
      if (!hasMoved.current) return false;
      const { from, to } = start.current.view;
      const moved = -(x / sight.width) * (to - from);
      look(within({ from: from + moved, to: to + moved }, whole));
      outer.current.scrollTop = start.current.top - y;
      return true;
    },
    end: () => {
      start.current = undefined;
      return hasMoved.current;
    },
  };
}

function pressed(event: KeyboardEvent, { view, whole, look }: BootCanvasProps, box: HTMLElement | null): void {
  const length = view.to - view.from;
  const move = (share: number): void => {
    look(within({ from: view.from + share * length, to: view.to + share * length }, whole));
  };
  const zoom = (factor: number): void => {
    look(zoomed(view, { factor, around: view.from + length / 2, whole, least: LEAST_MICROSECONDS }));
  };
  const scroll = (pixels: number): void => {
    if (box !== null) box.scrollTop += pixels;
  };
  const acts: Readonly<Record<string, () => void>> = {
    "+": () => {
      zoom(1 / KEY_ZOOM);
    },
    "=": () => {
      zoom(1 / KEY_ZOOM);
    },
    "-": () => {
      zoom(KEY_ZOOM);
    },
    "0": () => {
      look(whole);
    },
    ArrowLeft: () => {
      move(-KEY_SHARE);
    },
    ArrowRight: () => {
      move(KEY_SHARE);
    },
    ArrowUp: () => {
      scroll(-KEY_SCROLL_PIXELS);
    },
    ArrowDown: () => {
      scroll(KEY_SCROLL_PIXELS);
    },
    Home: () => {
      look(within({ from: whole.from, to: whole.from + length }, whole));
    },
    End: () => {
      look(within({ from: whole.to - length, to: whole.to }, whole));
    },
  };
  const act = acts[event.key];
  if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act();
}

interface Tip {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

function tipOf({ scene, origin }: BootCanvasProps, hit: Hit | undefined, point: Point): Tip | undefined {
  if (hit === undefined) return undefined;
  const { sign, lane, what } = entryInWords(scene, hit.entry);
  const others =
    hit.count > 1 ? `\n… the first of ${counted(hit.count, "thing")} here: zoom in to tell them apart` : "";
  const text = `${offsetInWords(hit.entry.time - origin)} · ${lane}\n${sign} ${what}${others}`;
  return { ...point, text };
}

const TIP_PIXELS = 420;

function TipBox({ tip: { x, y, text }, box }: { readonly tip: Tip; readonly box: Box }): JSX.Element {
  const left = Math.max(0, Math.min(x + 12, box.width - TIP_PIXELS));
  const isLow = y > box.height / 2;
  const place = isLow ? { bottom: `${String(box.height - y + 12)}px` } : { top: `${String(y + 14)}px` };
  return (
    <div class="boot-tip" aria-hidden="true" style={{ left: `${String(left)}px`, ...place }}>
      {text}
    </div>
  );
}

/**
 * The timeline: how many commits there were when, with the moment as a cursor that can be dragged.
 *
 * Owns the stretch of time that is shown, which the address's `span` names, and the cursor.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { CommitSummaryJson } from "../../../protocol/http-api/commit.js";
import type { DensityAnswer } from "../../../protocol/http-api/density.js";
import { ask } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { dragTo, giveUpDrag, isAtTip, letGo, moment, showTip, stepBy } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
import { theme } from "../shell/theme.js";
import { tipSteps } from "../shell/tip.js";
import { Trouble } from "../shell/trouble.js";
import { commitInWords } from "../words/commits.js";
import { counted, isoOf, microsecondsOf, timeInWords } from "../words/times.js";
import { DensityPlot } from "./density-plot.js";
import { scaleOf, timeOfSeq, zoomed, type DensityScale, type Span } from "./density-scale.js";
import { parseSpan, serializeSpan } from "./span.js";

/** A commit that a view has something to say about. */
export interface Mark {
  readonly seq: number;
  readonly label: string;
  readonly kind: "good" | "bad" | "other";
}

/** Some pixels wide each: more would take the daemon longer, and show little more. */
const PARTS = 250;
const LEAST_MICROSECONDS = 1000;
const ZOOM = 2;
/** Keys step one commit, with Page Up and Page Down so many. */
const PAGE_STEPS = 100;
/** So often at most it is drawn anew while the tip is followed. */
const REFRESH_MILLISECONDS = 2000;

/** The timeline. */
export function Timeline({ marks = [] }: { readonly marks?: readonly Mark[] }): JSX.Element {
  const refresh = useRefresh();
  const whole = useLatest(`whole ${String(refresh)}`, (ended) => ask("density", { parts: PARTS }, ended));
  const asked = parseSpan(place.value.members["span"] ?? "");
  const spanKey = asked === undefined ? "" : `${serializeSpan(asked)} ${String(refresh)}`;
  const part = useLatest(spanKey, (ended) => densityOf(asked ?? { from: 0, to: 0 }, ended));
  const wholeScale = whole.answer === undefined ? undefined : scaleOf(whole.answer);
  const scale = asked === undefined || part.answer === undefined ? wholeScale : scaleOf(part.answer);
  const span = asked ?? wholeScale;
  if (scale === undefined || span === undefined || wholeScale === undefined) {
    return (
      <section class="timeline" aria-label="Timeline">
        <Trouble error={whole.error} />
      </section>
    );
  }
  return (
    <section class="timeline" aria-label="Timeline">
      <Controls span={span} whole={wholeScale} />
      <Plot scale={scale} span={span} whole={wholeScale} marks={marks} />
      <Trouble error={whole.error ?? (asked === undefined ? undefined : part.error)} />
    </section>
  );
}

/** Counts up with the tip while that is followed, and not too often. */
function useRefresh(): number {
  const [count, setCount] = useState(0);
  const shown = useRef(0);
  useEffect(() => {
    const timer = setInterval(() => {
      if (shown.current === tipSteps.value) return;
      shown.current = tipSteps.value;
      setCount((before) => before + 1);
    }, REFRESH_MILLISECONDS);
    return () => {
      clearInterval(timer);
    };
  }, []);
  return count;
}

/** The density of a stretch. A time names the last commit before it, which may be long before: then it begins with the next. */
async function densityOf({ from, to }: Span, ended: AbortSignal): Promise<DensityAnswer> {
  const end = `@{${isoOf(to)}}`;
  const parts = PARTS;
  const answer = await ask("density", { from: `@{${isoOf(from)}}`, to: end, parts }, ended);
  const { seq, time } = answer.from;
  const isBefore = time !== undefined && microsecondsOf(time) < from;
  if (!isBefore || seq === undefined || seq >= (answer.to.seq ?? 0)) return answer;
  return await ask("density", { from: `@{${String(seq + 1)}}`, to: answer.to.oid, parts }, ended);
}

function Controls({ span, whole }: { readonly span: Span; readonly whole: DensityScale }): JSX.Element {
  const { answer, error } = moment.value;
  const around = answer?.time === undefined ? (span.from + span.to) / 2 : microsecondsOf(answer.time);
  const zoom = (factor: number): void => {
    setSpan(zoomed(span, { factor, around: clamped(around, span), whole, least: LEAST_MICROSECONDS }), whole);
  };
  return (
    <div class="timeline-controls">
      <span class="buttons">
        <Button
          label="Previous commit"
          sign="◀"
          act={() => {
            stepBy(-1);
          }}
        />
        <Button
          label="Next commit"
          sign="▶"
          isDisabled={isAtTip.value}
          act={() => {
            stepBy(1);
          }}
        />
        <button type="button" aria-pressed={isAtTip.value} onClick={showTip}>
          Follow the tip
        </button>
      </span>
      <span class="moment">{answer === undefined ? "" : momentInWords(answer)}</span>
      <span class="buttons">
        <Button
          label="Zoom in"
          sign="+"
          act={() => {
            zoom(1 / ZOOM);
          }}
        />
        <Button
          label="Zoom out"
          sign="−"
          act={() => {
            zoom(ZOOM);
          }}
        />
        <button
          type="button"
          onClick={() => {
            show({ span: undefined });
          }}
        >
          Whole history
        </button>
      </span>
      <Trouble error={error} />
    </div>
  );
}

interface ButtonProps {
  readonly label: string;
  readonly sign: string;
  readonly isDisabled?: boolean;
  readonly act: () => void;
}

function Button({ label, sign, isDisabled = false, act }: ButtonProps): JSX.Element {
  return (
    <button type="button" title={label} aria-label={label} disabled={isDisabled} onClick={act}>
      {sign}
    </button>
  );
}

function momentInWords(commit: CommitSummaryJson): string {
  return `${commitInWords(commit)} · ${timeInWords(commit.time)} · ${commit.subject}`;
}

interface PlotProps {
  readonly scale: DensityScale;
  readonly span: Span;
  readonly whole: DensityScale;
  readonly marks: readonly Mark[];
}

function Plot({ scale, span, whole, marks }: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<DensityPlot | undefined>(undefined);
  const [, redraw] = useState(0);
  const shade = theme.value;
  useEffect(() => {
    if (box.current === null) return undefined;
    const made = new DensityPlot(box.current, () => {
      redraw((count) => count + 1);
    });
    plot.current = made;
    return () => {
      made.remove();
    };
  }, [shade]);
  // Whoever goes elsewhere while he drags lets go nowhere.
  useEffect(() => giveUpDrag, []);
  useEffect(() => {
    plot.current?.draw(scale, span);
  }, [scale.fromSeq, scale.toSeq, scale.ends.length, span.from, span.to, shade]);
  const leftOf = (time: number | undefined): number | undefined =>
    time === undefined ? undefined : plot.current?.leftOf(time);
  const { answer } = moment.value;
  const timeAt = ({ clientX }: { readonly clientX: number }): number | undefined => plot.current?.timeAt(clientX);
  return (
    <div
      class="timeline-plot"
      onPointerDown={(event) => {
        const time = timeAt(event);
        if (event.button !== 0 || time === undefined) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        dragTo(time);
      }}
      onPointerMove={(event) => {
        const time = timeAt(event);
        if (event.currentTarget.hasPointerCapture(event.pointerId) && time !== undefined) dragTo(time);
      }}
      onLostPointerCapture={letGo}
      onWheel={(event) => {
        event.preventDefault();
        const around = timeAt(event);
        const factor = event.deltaY < 0 ? 1 / ZOOM : ZOOM;
        if (around !== undefined)
          setSpan(zoomed(span, { factor, around, whole, least: LEAST_MICROSECONDS }), whole, false);
      }}
    >
      <div ref={box} aria-hidden="true" />
      {marks.map(({ seq, label, kind }) => (
        <Flag key={`${kind} ${String(seq)}`} left={leftOf(timeOfSeq(scale, seq))} label={label} kind={kind} />
      ))}
      <Cursor
        left={leftOf(answer?.time === undefined ? undefined : microsecondsOf(answer.time))}
        commit={answer}
        whole={whole}
      />
    </div>
  );
}

function Flag({
  left,
  label,
  kind,
}: {
  readonly left: number | undefined;
  readonly label: string;
  readonly kind: string;
}): JSX.Element | null {
  if (left === undefined) return null;
  return (
    <span class={`flag flag-${kind}`} style={{ left: `${String(left)}px` }}>
      {label}
    </span>
  );
}

interface CursorProps {
  readonly left: number | undefined;
  readonly commit: CommitSummaryJson | undefined;
  readonly whole: DensityScale;
}

function Cursor({ left, commit, whole }: CursorProps): JSX.Element {
  const seq = commit?.seq ?? whole.toSeq;
  return (
    <div
      class="cursor"
      role="slider"
      tabIndex={0}
      aria-label="Moment"
      aria-valuemin={whole.fromSeq}
      aria-valuemax={whole.toSeq}
      aria-valuenow={seq}
      aria-valuetext={`commit ${String(seq)} of ${counted(whole.toSeq, "commit")}, ${timeInWords(commit?.time)}`}
      style={left === undefined ? { opacity: 0 } : { left: `${String(left)}px` }}
      onKeyDown={(event) => {
        const act = KEYS[event.key];
        // Together with others they are the browser's.
        if (act === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        act(whole);
      }}
    />
  );
}

const KEYS: Readonly<Record<string, (whole: DensityScale) => void>> = {
  ArrowLeft: () => {
    stepBy(-1);
  },
  ArrowDown: () => {
    stepBy(-1);
  },
  ArrowRight: () => {
    stepBy(1);
  },
  ArrowUp: () => {
    stepBy(1);
  },
  PageDown: () => {
    stepBy(-PAGE_STEPS);
  },
  PageUp: () => {
    stepBy(PAGE_STEPS);
  },
  Home: ({ fromSeq }) => {
    show({ at: `@{${String(fromSeq)}}` }, false);
  },
  End: showTip,
};

function setSpan(span: Span, whole: Span, isStep = true): void {
  const isWhole = span.from <= whole.from && span.to >= whole.to;
  show({ span: isWhole ? undefined : serializeSpan(span) }, isStep);
}

function clamped(time: number, { from, to }: Span): number {
  return Math.min(Math.max(time, from), to);
}

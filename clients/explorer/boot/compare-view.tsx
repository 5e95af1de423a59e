/**
 * Two boots side by side, from their beginnings, with the first difference on top and in view.
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";
import { revisionOfNumber } from "../shell/moment.js";
import { linkTo } from "../shell/navigation.js";
import { VirtualList } from "../shell/virtual-list.js";
import type { Span } from "../timeline/density-scale.js";
import { domainInWords } from "../words/perms.js";
import { counted, isoOf, timeInWords } from "../words/times.js";
import { escaped } from "../words/values.js";
import { aboutDomain, courseAbout } from "./about-domain.js";
import { BootCanvas } from "./boot-canvas.js";
import { bootOf, type Boot, type BootStep } from "./boot-steps.js";
import { compareBoots, isDifference, type ComparedStep, type Comparison } from "./compare.js";
import { offsetInWords } from "./entry-words.js";
import type { Course } from "./happenings.js";
import type { Recording } from "./recording.js";
import { sceneOf, wholeOf } from "./scene.js";

interface CompareViewProps {
  readonly recording: Recording;
  readonly course: Course;
  readonly a: number;
  readonly b: number;
  /** What is in view of the first one; all unless given. */
  readonly view: Span | undefined;
  readonly look: (view: Span, whole: Span, isStep: boolean) => void;
}

/** So many steps behind a difference are brought into view with it. */
const CONTEXT_ROWS = 5;

/** The comparison. */
export function CompareView({ recording, course, a, b, view, look }: CompareViewProps): JSX.Element {
  const { boots, comparison } = useMemo(() => {
    const [left, right] = [bootOf(a, recording.commits), bootOf(b, recording.commits)] as const;
    return { boots: { a: left, b: right }, comparison: compareBoots(left, right) };
  }, [recording, a, b]);
  const { chosen, context, choose, jump } = useChosenStep(comparison, [a, b]);
  const [isOnlyDifferences, setIsOnlyDifferences] = useState(false);
  const rows = useMemo(
    () => comparison.steps.flatMap((step, index) => (isOnlyDifferences && !isDifference(step) ? [] : [index])),
    [comparison, isOnlyDifferences],
  );
  return (
    <section class="boot-compare column fill" aria-label="Two boots compared">
      <Finding boots={boots} comparison={comparison} />
      <Fails recording={recording} course={course} domains={[a, b]} />
      <div class="toolbar">
        <button
          type="button"
          disabled={comparison.firstDifference === undefined}
          onClick={() => {
            jump(comparison.firstDifference);
          }}
        >
          First difference
        </button>
        <button
          type="button"
          disabled={nextDifference(comparison, chosen) === undefined}
          onClick={() => {
            jump(nextDifference(comparison, chosen));
          }}
        >
          Next difference
        </button>
        <label>
          <input
            type="checkbox"
            checked={isOnlyDifferences}
            onChange={({ currentTarget }) => {
              setIsOnlyDifferences(currentTarget.checked);
            }}
          />
          Only differences
        </label>
        <span class="muted">
          {counted(comparison.steps.length, "step")}, {counted(comparison.differences, "difference")}
        </span>
      </div>
      <Pictures recording={recording} course={course} {...{ boots, comparison, chosen, view, look }} choose={jump} />
      <div class="boot-compare-head" aria-hidden="true">
        <strong>A: {title(boots.a)}</strong>
        <span />
        <strong>B: {title(boots.b)}</strong>
      </div>
      <StepList comparison={comparison} rows={rows} chosen={chosen} context={context} choose={choose} />
    </section>
  );
}

interface ChosenStep {
  readonly chosen: number | undefined;
  /** How many rows behind it are to be seen, too. */
  readonly context: number;
  readonly choose: (place: number) => void;
  /** The same, with what follows. */
  readonly jump: (place: number | undefined) => void;
}

/** The step that is looked at: first of all the first difference. */
function useChosenStep({ firstDifference }: Comparison, domains: readonly number[]): ChosenStep {
  const [chosen, setChosen] = useState(firstDifference);
  const [context, setContext] = useState(CONTEXT_ROWS);
  const jump = (to: number | undefined): void => {
    setChosen(to);
    setContext(CONTEXT_ROWS);
  };
  useEffect(() => {
    jump(firstDifference);
  }, [firstDifference, ...domains]);
  // What follows has been brought into view: now the step itself.
  useEffect(() => {
    setContext(0);
  }, [context]);
  return { chosen, context, choose: setChosen, jump };
}

interface PicturesProps extends Pick<CompareViewProps, "recording" | "course" | "view" | "look"> {
  readonly boots: Boots;
  readonly comparison: Comparison;
  readonly chosen: number | undefined;
  readonly choose: (place: number) => void;
}

/** Both boots in pictures, at the same distance from their beginnings. */
function Pictures({
  recording,
  course,
  boots,
  comparison,
  chosen,
  choose,
  view,
  look,
}: PicturesProps): JSX.Element | null {
  const [a, b] = [boots.a, boots.b];
  const scenes = useMemo(
    () =>
      [
        sceneOf(recording, course, { domain: a.domain, mode: "domain" }),
        sceneOf(recording, course, { domain: b.domain, mode: "domain" }),
      ] as const,
    [recording, course, a.domain, b.domain],
  );
  if (a.start === undefined || b.start === undefined) return null;
  const starts = [a.start, b.start] as const;
  const whole = wholeOf({ from: a.start, to: a.start + Math.max(lastOffset(a), lastOffset(b)) });
  const step = comparison.steps[chosen ?? -1];
  const nearest = (offset: number): void => {
    const place = comparison.steps.findIndex(({ at }) => at >= offset);
    if (place !== -1) choose(place);
  };
  return (
    <div class="columns boot-pictures">
      {scenes.map((scene, side) => {
        const start = starts[side] ?? 0;
        const moved = (span: Span, by: number): Span => ({ from: span.from + by, to: span.to + by });
        const by = start - starts[0];
        return (
          <BootCanvas
            key={side}
            scene={scene}
            height={undefined}
            view={moved(view ?? whole, by)}
            whole={moved(whole, by)}
            selected={undefined}
            origin={start}
            moments={
              step === undefined ? [] : [{ time: start + step.at, name: isDifference(step) ? "difference" : "step" }]
            }
            look={(next) => {
              look(moved(next, -by), whole, false);
            }}
            select={(entry) => {
              if (entry !== undefined) nearest(entry.time - start);
            }}
          />
        );
      })}
    </div>
  );
}

function lastOffset({ steps }: Boot): number {
  return steps.at(-1)?.at ?? 0;
}

function nextDifference({ steps }: Comparison, after: number | undefined): number | undefined {
  const next = steps.findIndex((step, index) => index > (after ?? -1) && isDifference(step));
  return next === -1 ? undefined : next;
}

function title({ domain, name, start }: Boot): string {
  const since = start === undefined ? "nothing is about it here" : `from ${timeInWords(isoOf(start))}`;
  return `${domainInWords(domain)}${name === undefined ? "" : ` (${name})`}, ${since}`;
}

interface Boots {
  readonly a: Boot;
  readonly b: Boot;
}

/** The first difference in words. */
function Finding({ boots, comparison }: { readonly boots: Boots; readonly comparison: Comparison }): JSX.Element {
  const missing = [boots.a, boots.b].find(({ start }) => start === undefined);
  if (missing !== undefined) {
    return (
      <p class="notice">
        There is nothing about {domainInWords(missing.domain)} in this stretch of time: choose another one on the
        timeline.
      </p>
    );
  }
  const late = [boots.a, boots.b].find(({ hasBeginning }) => !hasBeginning);
  return (
    <>
      {late !== undefined && (
        <p class="notice boot-notice">
          {domainInWords(late.domain)} was made before this stretch of time: begin it earlier on the timeline to compare
          whole boots.
        </p>
      )}
      <FirstDifference comparison={comparison} />
    </>
  );
}

function FirstDifference({ comparison }: { readonly comparison: Comparison }): JSX.Element {
  const step = comparison.steps[comparison.firstDifference ?? -1];
  if (step === undefined) {
    return (
      <p class="done" role="status">
        ✓ No difference: what became of each node was the same in both, but for numbers and names that each machine has
        of its own.
      </p>
    );
  }
  return (
    <div class="trouble" role="status">
      <p>
        <strong>First difference, {offsetInWords(step.at)} from the beginning:</strong>{" "}
        <code>{step.a?.key ?? step.b?.key}</code>
        {": "}
        {VERDICT_WORDS[step.verdict]}. <Side name="A" step={step.a} /> <Side name="B" step={step.b} />
      </p>
    </div>
  );
}

const VERDICT_WORDS = {
  same: "the same in both",
  "other value": "another value",
  "missing in A": "in B only, missing in A",
  "missing in B": "in A only, missing in B",
  "not known": "later than the other one was looked at",
} as const;

/** What stands in one boot, with the ways there. */
function Side({ name, step }: { readonly name: string; readonly step: BootStep | undefined }): JSX.Element {
  if (step === undefined) return <span>{name}: nothing.</span>;
  const at = step.seq === undefined ? undefined : revisionOfNumber(step.seq);
  return (
    <span>
      {name}: <code>{valueInWords(step)}</code> {offsetInWords(step.at)}
      {at !== undefined && (
        <>
          {" "}
          (<a href={linkTo("commit", { revision: at })}>commit {step.seq}</a>,{" "}
          <a href={linkTo("tree", { at, path: step.path.startsWith("/") ? step.path : undefined })}>the tree then</a>)
        </>
      )}
      .
    </span>
  );
}

function valueInWords({ value }: BootStep): string {
  return value === undefined ? "gone" : `"${escaped(value)}"`;
}

interface FailsProps {
  readonly recording: Recording;
  readonly course: Course;
  readonly domains: readonly number[];
}

/** What failed on the way is told, but is no difference: it depends on who else was there. */
function Fails({ recording, course, domains }: FailsProps): JSX.Element {
  const told = useMemo(
    () =>
      domains.map((domain) => {
        const { happenings, transactions } = courseAbout(course, aboutDomain(domain, recording.commits));
        const failed = happenings.filter(({ error }) => error !== undefined).length;
        const again = transactions.filter(({ outcome }) => outcome === "EAGAIN").length;
        return `${domainInWords(domain)}: ${counted(failed, "failed request")}, ${counted(again, "EAGAIN", "EAGAINs")}`;
      }),
    [course, ...domains],
  );
  return <p class="muted boot-fails">For information, not compared. {told.join("; ")}.</p>;
}

interface StepListProps {
  readonly comparison: Comparison;
  /** The places of the steps that are listed. */
  readonly rows: readonly number[];
  readonly chosen: number | undefined;
  /** How many rows behind it are to be seen, too. */
  readonly context: number;
  readonly choose: (place: number) => void;
}

function StepList({ comparison, rows, chosen, context, choose }: StepListProps): JSX.Element {
  const row = chosen === undefined ? -1 : rows.indexOf(chosen);
  const step = (by: number): void => {
    const next = rows[Math.min(Math.max(row + by, 0), rows.length - 1)];
    if (next !== undefined) choose(next);
  };
  return (
    <VirtualList
      class="panel fill"
      role="listbox"
      aria-label="Steps of both boots, by time from their beginnings"
      aria-activedescendant={row === -1 ? undefined : stepId(row)}
      tabIndex={0}
      count={rows.length}
      shown={row === -1 ? undefined : Math.min(row + context, rows.length - 1)}
      onKeyDown={(event: KeyboardEvent) => {
        const by = STEPS[event.key];
        if (by === undefined) return;
        event.preventDefault();
        step(by);
      }}
      row={(index) => {
        const place = rows[index];
        const compared = place === undefined ? undefined : comparison.steps[place];
        if (place === undefined || compared === undefined) return null;
        return (
          <StepRow
            key={place}
            id={stepId(index)}
            step={compared}
            isChosen={index === row}
            choose={() => {
              choose(place);
            }}
          />
        );
      }}
    />
  );
}

const STEPS: Readonly<Record<string, number>> = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 10,
  PageUp: -10,
  Home: -Infinity,
  End: Infinity,
};

function stepId(row: number): string {
  return `boot-step-${String(row)}`;
}

interface StepRowProps {
  readonly id: string;
  readonly step: ComparedStep;
  readonly isChosen: boolean;
  readonly choose: () => void;
}

const VERDICT_SIGNS = {
  same: "=",
  "other value": "≠ other value",
  "missing in A": "▸ missing in A",
  "missing in B": "◂ missing in B",
  "not known": "? not known",
} as const;

function StepRow({ id, step, isChosen, choose }: StepRowProps): JSX.Element {
  return (
    <div
      id={id}
      class={`row boot-compare-row ${isDifference(step) ? "boot-differs" : ""}`}
      role="option"
      aria-selected={isChosen}
      onClick={choose}
    >
      <StepCell step={step.a} />
      <span class="boot-verdict">{VERDICT_SIGNS[step.verdict]}</span>
      <StepCell step={step.b} />
    </div>
  );
}

function StepCell({ step }: { readonly step: BootStep | undefined }): JSX.Element {
  if (step === undefined) return <span class="text muted">—</span>;
  return (
    <span class="text mono" title={`${step.path} ${valueInWords(step)}`}>
      <span class="boot-time">{offsetInWords(step.at)}</span> {step.path} {valueInWords(step)}
    </span>
  );
}

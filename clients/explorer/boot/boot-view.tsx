/**
 * Boots: who asked the store what, and was told what, when.
 *
 * Owns what the address says of this view:
 *
 *     span       the stretch of time that is loaded; the last commits up to `at` or the tip unless given
 *     view       the part of it that is in view; all unless given
 *     domain     only what is about this domain
 *     compare    another one, whose boot is shown beside that
 *     lanes      `actor` or `domain`; as there is room unless given
 *     rows       `tall`, `low` or `thin`; as there is room unless given
 *     pick       what was chosen: the how manieth thing of which moment
 */
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { moment } from "../shell/moment.js";
import { place, show } from "../shell/navigation.js";
import { Trouble } from "../shell/trouble.js";
import { zoomed, type Span } from "../timeline/density-scale.js";
import { parseSpan, serializeSpan } from "../timeline/span.js";
import { Timeline } from "../timeline/timeline.js";
import { counted, isoOf, microsecondsOf } from "../words/times.js";
import { BootCanvas, LEAST_MICROSECONDS } from "./boot-canvas.js";
import { CompareView } from "./compare-view.js";
import { Details } from "./details.js";
import { EntryList } from "./entry-list.js";
import { courseOf, type Course } from "./happenings.js";
import { placeOfEntry } from "./hit.js";
import { LANE_HEIGHTS, type LaneHeight } from "./layout.js";
import type { LaneMode } from "./lanes.js";
import { Legend } from "./legend.js";
import { COMMITS_MAX, LINES_MAX, RECENT_COMMITS, type LoadedRecording, type LoadProgress } from "./load-recording.js";
import { domainsIn, machineNames, sceneOf, wholeOf, type Entry, type Scene } from "./scene.js";
import { useRecording } from "./use-recording.js";
import { firstFrom } from "./visible.js";
import "./boot.css";

/** The view. */
export function BootView(): JSX.Element {
  const { recording, error, progress } = useRecording();
  const course = useMemo(() => (recording === undefined ? undefined : courseOf(recording)), [recording]);
  return (
    <>
      <Timeline />
      <Trouble error={error} />
      {progress !== undefined && (recording === undefined || isLong(progress)) && <Progress {...progress} />}
      {recording !== undefined && course !== undefined && <Boots recording={recording} course={course} />}
    </>
  );
}

/** What is there in a moment, as while the tip is followed, is not worth a word. */
function isLong({ done, of = done }: LoadProgress): boolean {
  return of - done >= LONG_MIN;
}

const LONG_MIN = 1000;

function Progress({ what, done, of }: LoadProgress): JSX.Element {
  return (
    <label class="toolbar muted">
      Loading {what}: {done.toLocaleString("en")}
      {of === undefined ? "" : ` of ${of.toLocaleString("en")}`}
      <progress class="grow" value={of === undefined ? undefined : done} max={of} />
    </label>
  );
}

interface BootsProps {
  readonly recording: LoadedRecording;
  readonly course: Course;
}

function Boots({ recording, course }: BootsProps): JSX.Element {
  const { domain: domainText, compare: compareText, lanes } = place.value.members;
  const [domain, compare] = [domidOf(domainText), domidOf(compareText)];
  const mode = lanes === "actor" || lanes === "domain" ? lanes : undefined;
  const scene = useMemo(() => sceneOf(recording, course, { domain, mode }), [recording, course, domain, mode]);
  const whole = useMemo(() => wholeOf(scene), [scene]);
  const view = parseSpan(place.value.members["view"] ?? "") ?? whole;
  return (
    <>
      <Controls recording={recording} course={course} scene={scene} whole={whole} view={view} />
      <Notices recording={recording} />
      {domain !== undefined && compare !== undefined ? (
        <CompareView
          recording={recording}
          course={course}
          a={domain}
          b={compare}
          view={parseSpan(place.value.members["view"] ?? "")}
          look={look}
        />
      ) : (
        <Picture scene={scene} whole={whole} view={view} />
      )}
    </>
  );
}

function domidOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}

interface ControlsProps extends BootsProps {
  readonly scene: Scene;
  readonly whole: Span;
  readonly view: Span;
}

const ZOOM = 2;

function Controls({ recording, course, scene, whole, view }: ControlsProps): JSX.Element {
  const { domain, compare, rows } = place.value.members;
  const domains = useMemo(() => domainsIn(recording, course), [recording, course]);
  const names = useMemo(() => machineNames(recording.commits), [recording]);
  const others = domain === undefined ? [] : domains.filter((each) => String(each) !== domain);
  return (
    <div class="toolbar" role="group" aria-label="What is shown">
      <DomainSelect label="Domain" none="all" value={domain} domains={domains} names={names} choose={choose} />
      <DomainSelect
        label="Compared with"
        none={domain === undefined ? "choose a domain first" : "none"}
        value={compare}
        domains={others}
        names={names}
        choose={(other) => {
          show({ compare: other });
        }}
      />
      {(domain === undefined || compare === undefined) && (
        <>
          <ModeButtons mode={scene.mode} />
          <HeightSelect value={rows} />
        </>
      )}
      <ZoomButtons view={view} whole={whole} />
    </div>
  );
}

function ModeButtons({ mode }: { readonly mode: LaneMode }): JSX.Element {
  const button = (chosen: LaneMode, text: string): JSX.Element => (
    <button
      type="button"
      aria-pressed={mode === chosen}
      onClick={() => {
        show({ lanes: chosen, pick: undefined });
      }}
    >
      {text}
    </button>
  );
  return (
    <span class="buttons" role="group" aria-label="Lanes of dom0">
      {button("actor", "By actor")}
      {button("domain", "By domain")}
    </span>
  );
}

function ZoomButtons({ view, whole }: { readonly view: Span; readonly whole: Span }): JSX.Element {
  const zoom = (factor: number): void => {
    look(zoomed(view, { factor, around: (view.from + view.to) / 2, whole, least: LEAST_MICROSECONDS }), whole, true);
  };
  return (
    <span class="buttons right" role="group" aria-label="Stretch in view">
      <button
        type="button"
        aria-label="Zoom in on the picture"
        title="zoom in"
        onClick={() => {
          zoom(1 / ZOOM);
        }}
      >
        +
      </button>
      <button
        type="button"
        aria-label="Zoom out of the picture"
        title="zoom out"
        onClick={() => {
          zoom(ZOOM);
        }}
      >
        −
      </button>
      <button
        type="button"
        onClick={() => {
          show({ view: undefined });
        }}
      >
        All that is loaded
      </button>
    </span>
  );
}

/** Another domain has another beginning, and other things that can be chosen. */
function choose(domain: string | undefined): void {
  const { compare } = place.value.members;
  const isSame = compare === domain || domain === undefined;
  show({ domain, view: undefined, pick: undefined, compare: isSame ? undefined : compare });
}

interface DomainSelectProps {
  readonly label: string;
  readonly none: string;
  readonly value: string | undefined;
  readonly domains: readonly number[];
  readonly names: ReadonlyMap<number, string>;
  readonly choose: (domain: string | undefined) => void;
}

function DomainSelect({ label, none, value = "", domains, names, choose: chosen }: DomainSelectProps): JSX.Element {
  const isKnown = value === "" || domains.some((domain) => String(domain) === value);
  return (
    <label>
      {label}
      <select
        value={value}
        onChange={({ currentTarget }) => {
          chosen(currentTarget.value === "" ? undefined : currentTarget.value);
        }}
      >
        <option value="">{none}</option>
        {!isKnown && <option value={value}>{value} (not in this stretch)</option>}
        {domains.map((domain) => {
          const name = names.get(domain);
          return (
            <option key={domain} value={String(domain)}>
              {domain}
              {name === undefined ? "" : ` ${name}`}
            </option>
          );
        })}
      </select>
    </label>
  );
}

function HeightSelect({ value = "" }: { readonly value: string | undefined }): JSX.Element {
  return (
    <label>
      Lanes
      <select
        value={value}
        onChange={({ currentTarget }) => {
          show({ rows: currentTarget.value === "" ? undefined : currentTarget.value });
        }}
      >
        <option value="">as high as fits</option>
        {LANE_HEIGHTS.map((height) => (
          <option key={height} value={height}>
            {height}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What is not known, and what is left out, with what can be done about it. */
function Notices({ recording }: { readonly recording: LoadedRecording }): JSX.Element {
  const { lines, omitted, isTraceCut, commits } = recording;
  const isRecent = parseSpan(place.value.members["span"] ?? "") === undefined;
  const cut = useMemo(() => commits.filter(({ hasMore }) => hasMore === true).length, [commits]);
  const most = isRecent ? RECENT_COMMITS : COMMITS_MAX;
  return (
    <>
      {lines === undefined && commits.length > 0 && (
        <p class="notice boot-notice">
          Reads, watch events and when transactions began are not known: the daemon keeps no trace of requests. Start it
          with <code>--trace FILE</code>.
        </p>
      )}
      {omitted > 0 && (
        <p class={isRecent ? "muted boot-notice" : "notice boot-notice"}>
          These are the last {most.toLocaleString("en")} commits; {counted(omitted, "earlier one")} of this stretch{" "}
          {omitted === 1 ? "is" : "are"} left out. To see those, zoom to them on the timeline.
        </p>
      )}
      {cut > 0 && (
        <p class="notice boot-notice">
          {counted(cut, "commit")} changed more nodes than is told of one: states and steps may be missing there.
        </p>
      )}
      {isTraceCut && (
        <p class="notice boot-notice">
          The trace of this stretch has more than {LINES_MAX.toLocaleString("en")} lines; reads and events are shown for
          its beginning only. Zoom in on the timeline.
        </p>
      )}
    </>
  );
}

interface PictureProps {
  readonly scene: Scene;
  readonly whole: Span;
  readonly view: Span;
}

function Picture({ scene, whole, view }: PictureProps): JSX.Element {
  const { pick, rows } = place.value.members;
  const selected = useMemo(() => entryOfPick(scene, pick ?? ""), [scene, pick]);
  const time = moment.value.answer?.time;
  const select = (entry: Entry | undefined): void => {
    show({ pick: entry === undefined ? undefined : pickOfEntry(scene, entry) }, false);
  };
  if (scene.entries.length === 0) return <p class="muted">Nothing happened in this stretch of time.</p>;
  return (
    <>
      <BootCanvas
        scene={scene}
        height={LANE_HEIGHTS.find((each): each is LaneHeight => each === rows)}
        view={view}
        whole={whole}
        selected={selected}
        origin={scene.from}
        moments={time === undefined ? [] : [{ time: microsecondsOf(time), name: "moment" }]}
        look={(next) => {
          look(next, whole, false);
        }}
        select={select}
      />
      <Legend />
      <div class="columns boot-below">
        <EntryList scene={scene} view={view} selected={selected} select={select} />
        <Details
          scene={scene}
          selected={selected}
          select={select}
          choose={(domain) => {
            choose(String(domain));
          }}
        />
      </div>
    </>
  );
}

/** Shows a part of what is loaded. */
function look(view: Span, whole: Span, isStep: boolean): void {
  const isWhole = view.from <= whole.from && view.to >= whole.to;
  show({ view: isWhole ? undefined : serializeSpan(view) }, isStep);
}

const PICK = /^(.+)~(\d{1,9})$/;

/** What was chosen, by its moment and its place among what happened then. */
function pickOfEntry(scene: Scene, entry: Entry): string {
  return `${isoOf(entry.time)}~${String(placeOfEntry(scene, entry) - firstAt(scene, entry.time))}`;
}

function entryOfPick(scene: Scene, pick: string): Entry | undefined {
  const [, iso, ordinal] = PICK.exec(pick) ?? [];
  if (iso === undefined || ordinal === undefined) return undefined;
  return scene.entries[firstAt(scene, microsecondsOf(iso)) + Number(ordinal)];
}

function firstAt({ entries }: Scene, time: number): number {
  return firstFrom(entries.length, (index) => entries[index]?.time ?? 0, time);
}

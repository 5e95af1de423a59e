/**
 * The recording of the stretch that the address names, loaded and kept up with.
 *
 * Owns when what is loaded: the address's `span`, or the last commits up to its `at` or to the tip. While the tip is followed only what came
 * since is asked; where another stretch is wanted, what is under way is given up.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { FAILURE_ROUTES, type FailuresAnswer } from "../../../protocol/http-api/failures.js";
import { TRACE_ROUTE, type TracePage, type TraceQuery } from "../../../protocol/http-api/trace.js";
import { ApiError, ask, get, type Query } from "../api/client.js";
import { useLatest } from "../api/use-latest.js";
import { isAtTip, moment } from "../shell/moment.js";
import { place } from "../shell/navigation.js";
import { parseSpan, serializeSpan } from "../timeline/span.js";
import {
  loadRecording,
  type LoadedRecording,
  type LoadProgress,
  type RecordingPorts,
  type WantedStretch,
} from "./load-recording.js";

/** What there is of it. */
export interface RecordingInUse {
  readonly recording: LoadedRecording | undefined;
  readonly error: unknown;
  /** Undefined while nothing is loaded. */
  readonly progress: LoadProgress | undefined;
}

/** Most failures that are asked for; the daemon remembers fewer. */
const FAILURES_MAX = 10_000;

/** Loads it. */
export function useRecording(): RecordingInUse {
  const { span: spanText = "", at } = place.value.members;
  const span = parseSpan(spanText);
  const wanted: WantedStretch = span === undefined ? { to: at ?? "HEAD" } : { span };
  const stretch = span === undefined ? (at ?? "HEAD") : serializeSpan(span);
  // A span stays what it is, and what is up to the tip grows with it.
  const seq = span === undefined && isAtTip.value ? String(moment.value.answer?.seq ?? "") : "";
  const isSettled = useSettled(seq);
  const held = useRef<LoadedRecording | undefined>(undefined);
  // Trace and failures are main's, and so are numbers that stand alone.
  const isOnMain = moment.value.answer?.isOnMain ?? true;
  const given = useRef(new AbortController());
  const [progress, setProgress] = useState<LoadProgress | undefined>(undefined);
  useEffect(() => {
    const controller = new AbortController();
    given.current = controller;
    return () => {
      controller.abort();
    };
  }, [stretch]);
  const { answer, error, isLoading } = useLatest(
    `${stretch} ${seq} ${String(isSettled)} ${String(isOnMain)}`,
    async (ended) => {
      const signal = AbortSignal.any([ended, given.current.signal]);
      const recording = await loadRecording(
        portsOf(signal, setProgress, isOnMain),
        wanted,
        isOnMain ? held.current : undefined,
      );
      held.current = isOnMain ? recording : undefined;
      return recording;
    },
  );
  return {
    recording: answer,
    // What was given up is no error.
    error: isLoading ? undefined : error,
    progress: isLoading ? (progress ?? { what: "commits", done: 0, of: undefined }) : undefined,
  };
}

/** The trace is written a little later than the commit that it tells of. */
const SETTLE_MILLISECONDS = 1000;

/** Whether the tip has stood still for a while. */
function useSettled(seq: string): boolean {
  const [settled, setSettled] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => {
      setSettled(seq);
    }, SETTLE_MILLISECONDS);
    return () => {
      clearTimeout(timer);
    };
  }, [seq]);
  return seq !== "" && settled === seq;
}

function portsOf(signal: AbortSignal, progress: (progress: LoadProgress) => void, isOnMain: boolean): RecordingPorts {
  return {
    density: (query) => ask("density", query, signal),
    activity: (query) => ask("activity", query, signal),
    trace: (query) => (isOnMain ? traceOrNone(query, signal) : Promise.resolve(undefined)),
    failures: () =>
      isOnMain
        ? get<FailuresAnswer>(FAILURE_ROUTES.failures, { limit: FAILURES_MAX }, signal)
        : Promise.resolve({ failures: [] }),
    progress,
  };
}

async function traceOrNone(query: TraceQuery, signal: AbortSignal): Promise<TracePage | undefined> {
  try {
    return await get<TracePage>(TRACE_ROUTE, query as Query, signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

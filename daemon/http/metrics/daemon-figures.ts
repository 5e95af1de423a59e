/**
 * What the metrics of a branch are made of, as plain data: the main thread's `figures-taker.ts` takes them.
 */
/** Of one moment. Times are seconds, sizes bytes; counts are since the daemon began. */
export interface DaemonFigures {
  readonly core: CoreFigures;
  readonly requests: RequestFigures;
  /** Commits since the daemon began. */
  readonly commits: number;
  readonly journal: { readonly bytes: number; readonly segments: number };
  readonly recorder: {
    readonly lag: { readonly commits: number; readonly bytes: number; readonly seconds: number };
    readonly packs: number;
    readonly packBytes: number;
    readonly packsRetired: number;
    readonly packsSealed: number;
    readonly bytesSealed: number;
    readonly sealSeconds: number;
    readonly maintenanceSeconds: number;
    /** Whether it does not seal, for a reason that the log tells. */
    readonly isFailing: boolean;
  };
  readonly eventLoop: EventLoopFigures;
  readonly process: ProcessFigures;
}

/** How late the event loop was, since it was last asked. */
export interface EventLoopFigures {
  readonly meanSeconds: number;
  readonly p50Seconds: number;
  readonly p99Seconds: number;
  readonly maxSeconds: number;
}

/** Of the process, with all its threads, but for the heap, which is that of this thread. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly heapUsedBytes: number;
  /** Since the beginning of 1970. */
  readonly startedSeconds: number;
}

/** Durations by length: see `dispatch/duration-counts.ts`. */
export interface DurationFigures {
  readonly bounds: readonly number[];
  /** One more than bounds. */
  readonly counts: readonly number[];
  readonly seconds: number;
}

/** See `dispatch/core-figures.ts`. */
export interface CoreFigures {
  readonly nodes: number;
  readonly domains: number;
  readonly dom0Connections: number;
  readonly guestConnections: number;
  readonly watches: number;
  readonly transactions: number;
  readonly transactionLogBytes: number;
  readonly outboxBytes: number;
  readonly turns: {
    readonly turns: number;
    readonly waits: number;
    readonly waiting: number;
    readonly waitsEnded: number;
    readonly turnsLost: number;
    readonly waitedMilliseconds: number;
  };
}

/** See `dispatch/request-meter.ts`. */
export interface RequestFigures {
  readonly requests: readonly { readonly operation: string; readonly outcome: string; readonly count: number }[];
  readonly durations: readonly { readonly operation: string; readonly duration: DurationFigures }[];
  readonly events: readonly { readonly fate: string; readonly count: number }[];
  readonly conflicts: readonly { readonly operation: string; readonly count: number }[];
  readonly transactionsEnded: readonly { readonly result: string; readonly count: number }[];
  readonly journalAppends: DurationFigures;
}

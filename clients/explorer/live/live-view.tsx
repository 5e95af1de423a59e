/**
 * Live: commits as they are made.
 *
 * Owns the pace: however many come, the page is drawn a few times a second, and the list can be stopped to be read.
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { CommitEvent } from "../../../protocol/http-api/events.js";
import { ApiError } from "../api/client.js";
import { linkTo, place, show } from "../shell/navigation.js";
import { TextForm } from "../shell/text-form.js";
import { Trouble } from "../shell/trouble.js";
import { VirtualList } from "../shell/virtual-list.js";
import { commitNumber } from "../words/commits.js";
import { counted, timeInWords } from "../words/times.js";
import { followCommits } from "./commit-stream.js";
import { COMMITS_KEPT, CommitWindow } from "./commit-window.js";

const DRAW_MILLISECONDS = 100;
const PATHS_SHOWN = 3;

/** The view. */
export function LiveView(): JSX.Element {
  const { path = "/" } = place.value.members;
  return <Followed key={path} path={path} />;
}

function Followed({ path }: { readonly path: string }): JSX.Element {
  const [isStopped, setIsStopped] = useState(false);
  const { commits, rate, trouble } = useCommits(path, isStopped);
  const kept = Math.min(commits.length, COMMITS_KEPT);
  return (
    <>
      <div class="toolbar panel">
        <button
          type="button"
          aria-pressed={isStopped}
          onClick={() => {
            setIsStopped(!isStopped);
          }}
        >
          {isStopped ? "Go on" : "Stop"}
        </button>
        <div class="grow">
          <TextForm
            label="At and below"
            text={path}
            verb="Follow"
            submit={(text) => {
              show({ path: text });
            }}
          />
        </div>
        <span class="rate">
          {counted(commits.count, "commit")} since you look, {counted(Math.round(rate), "commit")} a second now
        </span>
      </div>
      <Trouble error={trouble === undefined ? undefined : new ApiError(0, trouble)} />
      {commits.count === 0 && trouble === undefined && <p class="muted">Nothing has been committed since you look.</p>}
      <VirtualList
        class="panel fill mono"
        role="list"
        aria-label="Commits, newest first"
        tabIndex={0}
        count={kept}
        row={(index) => {
          const commit = commits.at(index);
          return commit && <LiveRow key={commit.oid} commit={commit} />;
        }}
      />
    </>
  );
}

interface FollowedCommits {
  readonly commits: CommitWindow;
  readonly rate: number;
  readonly trouble: string | undefined;
}

function useCommits(path: string, isStopped: boolean): FollowedCommits {
  const commits = useRef(new CommitWindow()).current;
  const waiting = useRef<CommitEvent[]>([]);
  const [trouble, setTrouble] = useState<string | undefined>(undefined);
  const [rate, setRate] = useState(0);
  const [, draw] = useState(0);
  useEffect(() => {
    commits.clear();
    waiting.current = [];
    return followCommits({
      path: path === "/" ? undefined : path,
      came: (events) => {
        waiting.current.push(...events);
        // While it is stopped the newest are kept, as they are while it is not.
        if (waiting.current.length > 2 * COMMITS_KEPT) waiting.current = waiting.current.slice(-COMMITS_KEPT);
      },
      stands: setTrouble,
    });
  }, [path]);
  useEffect(() => {
    if (isStopped) return undefined;
    const timer = setInterval(() => {
      const now = performance.now();
      if (waiting.current.length > 0) commits.push(waiting.current, now);
      if (waiting.current.length > 0) draw((count) => count + 1);
      waiting.current = [];
      setRate(commits.rate(now));
    }, DRAW_MILLISECONDS);
    return () => {
      clearInterval(timer);
    };
  }, [isStopped, path]);
  return { commits, rate, trouble };
}

function LiveRow({ commit }: { readonly commit: CommitEvent }): JSX.Element {
  const { oid: revision, time, subject, paths, hasMore } = commit;
  const [first] = paths;
  return (
    <div class="row" role="listitem">
      <a href={linkTo("commit", { revision })}>{commitNumber(commit)}</a>
      <a href={linkTo("tree", { at: revision, path: first?.path })} title="the tree at this moment">
        {timeInWords(time)}
      </a>
      <span>{subject}</span>
      <span class="text muted">
        {paths
          .slice(0, PATHS_SHOWN)
          .map(({ path, isRemoval }) => (isRemoval === true ? `−${path}` : path))
          .join(" ")}
        {paths.length > PATHS_SHOWN || hasMore === true ? " …" : ""}
      </span>
    </div>
  );
}

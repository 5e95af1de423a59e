/**
 * Answers questions by reading a repository, with or without a daemon.
 *
 * Owns the table of questions, and that each is answered as of one moment.
 */
import type { HistoryAnswers, HistoryQueries, HistoryQuestion } from "../../../protocol/http-api/history-queries.js";
import type { OnBranch } from "../../../protocol/http-api/on-branch.js";
import type { Microseconds } from "../../../protocol/identifiers.js";
import type { Clock } from "../../platform/clock.js";
import { activityPage } from "./activity.js";
import { answerBisect } from "./bisect.js";
import { blameAnswer } from "./blame-answer.js";
import { commitJson } from "./commit-json.js";
import { densityAnswer } from "./density.js";
import { diffPage } from "./diff-page.js";
import type { History } from "./history.js";
import { logPage } from "./log-page.js";
import { refusing, type Question } from "./question.js";
import { listRefs } from "./refs.js";
import { resolveRevision } from "./resolve-revision.js";
import { showCommit } from "./show.js";
import { childrenPage, nodeAnswer, treePage } from "./tree-page.js";

type Answerer<Name extends HistoryQuestion> = (
  question: Question,
  query: HistoryAnswers[Name]["query"],
) => HistoryAnswers[Name]["answer"];

const ANSWERERS: { readonly [Name in HistoryQuestion]: Answerer<Name> } = {
  log: logPage,
  diff: diffPage,
  tree: treePage,
  children: childrenPage,
  node: nodeAnswer,
  commit: ({ view, now, branch }, { revision = "HEAD" }) =>
    commitJson(showCommit(view, resolveRevision(view, revision, now, branch))),
  blame: blameAnswer,
  refs: ({ view }) => listRefs(view),
  bisect: answerBisect,
  density: densityAnswer,
  activity: activityPage,
};

/**
 * The questions and answers of one history; the caller closes it.
 *
 * @param options - `patienceMilliseconds` as a question has it
 */
export function localHistory(
  history: History,
  clock: Clock,
  options: Pick<Question, "patienceMilliseconds"> = {},
): HistoryQueries {
  return {
    ask: (name, query) =>
      new Promise((resolve) => {
        const { branch }: OnBranch = query;
        resolve(
          refusing(() => {
            const now = clock.nowMicroseconds() as Microseconds;
            return answer({ ...options, view: history.view(), now, clock, branch }, { name, query });
          }),
        );
      }),
  };
}

function answer<Name extends HistoryQuestion>(
  question: Question,
  { name, query }: { readonly name: Name; readonly query: HistoryAnswers[Name]["query"] },
): HistoryAnswers[Name]["answer"] {
  return ANSWERERS[name](question, query);
}

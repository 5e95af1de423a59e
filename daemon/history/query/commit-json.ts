/**
 * Commits, as answers: from what the queries find to what the HTTP API tells (`protocol/http-api/`).
 */
import { textFromBytes } from "../../../protocol/bytes.js";
import type {
  ChangeJson,
  CommitJson,
  CommitSummaryJson,
  DomainRecordJson,
  NodeStateJson,
} from "../../../protocol/http-api/commit.js";
import { permsJson, valueJson } from "../../../protocol/http-api/value.js";
import { isoTime } from "../../../protocol/iso-time.js";
import type { Change, NodeState } from "../../store/commit.js";
import type { DomainRecord } from "../../store/root.js";
import type { CommitSummary } from "./commit-summary.js";
import type { ShownCommit } from "./show.js";

/** A commit without its changes. */
export function summaryJson(summary: CommitSummary): CommitSummaryJson {
  const { oid, seq, time, domain, connection, transaction, subject } = summary;
  return {
    oid,
    seq,
    time: time === undefined ? undefined : isoTime(time),
    domain,
    connection,
    transaction,
    subject: textFromBytes(subject),
  };
}

/** A commit in full. */
export function commitJson(commit: ShownCommit): CommitJson {
  const { parents, requests, changes, meanwhile } = commit;
  return {
    ...summaryJson(commit),
    parents,
    requests: requests.map(textFromBytes),
    changes: changes?.map(changeJson),
    meanwhile: meanwhile && { ...meanwhile, commits: meanwhile.commits.map(summaryJson) },
  };
}

/** One change. */
export function changeJson(change: Change): ChangeJson {
  switch (change.kind) {
    case "node": {
      const { kind, path, before, after } = change;
      return { kind, path: textFromBytes(path), before: before && stateJson(before), after: after && stateJson(after) };
    }
    case "special":
      return { ...change, before: permsJson(change.before), after: permsJson(change.after) };
    case "quota":
      return change;
    case "domain": {
      const { kind, domid, before, after } = change;
      return { kind, domid, before: before && recordJson(before), after: after && recordJson(after) };
    }
  }
}

/** A node's own state. */
export function stateJson({ value, perms }: NodeState): NodeStateJson {
  return { ...valueJson(value), perms: permsJson(perms) };
}

/** What the daemon knows of a domain. */
export function recordJson(record: DomainRecord): DomainRecordJson {
  const { introduction, quotas } = record;
  return {
    ...record,
    introduction: introduction && { gfn: introduction.gfn, port: introduction.port, seq: introduction.commit?.seq },
    quotas: Object.fromEntries(quotas),
  };
}

/**
 * The answers of the HTTP API as JSON schemas. Made by `npm run schemas` out of the types of `protocol/http-api/`.
 */

/** By the name of their type. */
export const ANSWER_SCHEMAS = {
  ActivityChange: {
    type: "object",
    properties: { path: { type: "string" }, before: { type: "string" }, after: { type: "string" } },
    required: ["path"],
    description:
      "A node's value before and after a commit, as text and perhaps its beginning only; left out where there was no node.",
  },
  ActivityCommit: {
    type: "object",
    properties: {
      oid: { type: "string" },
      seq: { type: "number" },
      time: { type: "string" },
      domain: { type: "number" },
      connection: { type: "string" },
      transaction: { type: "number" },
      subject: { type: "string" },
      historyBegins: {
        type: "boolean",
        description:
          "In a log: what was before this commit has been given up, so that it stands there for whatever its state has.",
      },
      base: {
        type: "number",
        description: "The seq of the commit whose state a transaction began with, where that is not the one before.",
      },
      requests: { type: "array", items: { type: "string" }, description: "As in the commit's message." },
      changes: {
        type: "array",
        items: { $ref: "ActivityChange#" },
        description: "Nodes that came, went or have another value or other perms, in the order of `xs ls`.",
      },
      hasMore: { type: "boolean", const: true, description: "Whether changes were left out. Left out where not." },
    },
    required: ["changes", "oid", "requests", "subject"],
    description: "A commit with what was asked and what became of it.",
  },
  ActivityPage: {
    type: "object",
    properties: {
      commits: { type: "array", items: { $ref: "ActivityCommit#" }, description: "Oldest first." },
      next: {
        type: "string",
        description:
          "Where to go on, also after a page without any commit: a page takes a bounded time. Left out at the end.",
      },
    },
    required: ["commits"],
    description: "A page of commits.",
  },
  BisectAnswer: {
    type: "object",
    properties: {
      predicate: { type: "string", description: "The predicate in its canonical text." },
      good: { $ref: "CommitSummaryJson#" },
      bad: { $ref: "CommitSummaryJson#" },
      tip: {
        $ref: "CommitSummaryJson#",
        description: "HEAD, where no bad commit was named and the predicate does not hold there any more.",
      },
      first: { $ref: "CommitJson#", description: "The predicate holds here, and does not at the commit before." },
      steps: { type: "number", description: "Commits between the two at which the predicate was evaluated." },
      tried: {
        type: "array",
        items: {
          type: "object",
          properties: { seq: { type: "number" }, isBad: { type: "boolean" } },
          required: ["seq", "isBad"],
        },
        description: "Those commits, in the order in which they were looked at.",
      },
      flips: { $ref: "FlipsJson#" },
    },
    required: ["predicate", "good", "bad", "first", "steps", "tried", "flips"],
    description: "What was found.",
  },
  BlameAnswer: {
    type: "object",
    properties: {
      commit: { $ref: "CommitSummaryJson#", description: "Whose state it is." },
      commits: {
        type: "array",
        items: { $ref: "CommitSummaryJson#" },
        description: "The commits that are named by their place in this list.",
      },
      nodes: {
        type: "array",
        items: {
          type: "object",
          properties: { path: { type: "string" }, commit: { type: "number" } },
          required: ["path"],
        },
        description: "A node without a commit is as it was when the history was cut.",
      },
    },
    required: ["commit", "commits", "nodes"],
    description: "Each node, in the order of `xs ls`, with the last commit that changed it, or made it.",
  },
  ChangeJson: {
    anyOf: [
      {
        type: "object",
        properties: {
          kind: { type: "string", const: "node" },
          path: { type: "string" },
          before: { $ref: "NodeStateJson#" },
          after: { $ref: "NodeStateJson#" },
        },
        required: ["kind", "path"],
      },
      {
        type: "object",
        properties: {
          kind: { type: "string", const: "special" },
          path: { type: "string" },
          before: { type: "array", items: { type: "string" } },
          after: { type: "array", items: { type: "string" } },
        },
        required: ["kind", "path", "before", "after"],
      },
      {
        type: "object",
        properties: {
          kind: { type: "string", const: "quota" },
          name: { type: "string" },
          before: { type: "number" },
          after: { type: "number" },
        },
        required: ["kind", "name"],
      },
      {
        type: "object",
        properties: {
          kind: { type: "string", const: "domain" },
          domid: { type: "number" },
          before: { $ref: "DomainRecordJson#" },
          after: { $ref: "DomainRecordJson#" },
        },
        required: ["kind", "domid"],
      },
    ],
    description: "What came where `before` is left out, went where `after` is, and is another where both stand.",
  },
  ChangesAnswer: {
    type: "object",
    properties: {
      outcome: {
        type: "string",
        enum: ["committed", "unchanged", "planned"],
        description: "`unchanged`: the store is as it was to become. `planned`: it was asked for without being done.",
      },
      commit: { $ref: "CommitSummaryJson#", description: "The commit that did it, with `committed`." },
      target: { $ref: "CommitSummaryJson#", description: "The commit that was gone back to, or undone." },
      changes: {
        type: "array",
        items: { $ref: "ChangeJson#" },
        description: "What changes, at most `CHANGES_LISTED_MAX` of it.",
      },
      changeCount: { type: "number" },
    },
    required: ["outcome", "target", "changes", "changeCount"],
    description: "What became of such a request.",
  },
  ChildJson: {
    anyOf: [
      {
        type: "object",
        properties: {
          name: { type: "string" },
          hasChildren: { type: "boolean" },
          perms: { type: "array", items: { type: "string" } },
          value: { type: "string" },
        },
        required: ["hasChildren", "name", "perms", "value"],
      },
      {
        type: "object",
        properties: {
          name: { type: "string" },
          hasChildren: { type: "boolean" },
          perms: { type: "array", items: { type: "string" } },
          valueBase64: { type: "string" },
        },
        required: ["hasChildren", "name", "perms", "valueBase64"],
      },
    ],
    description: "A child.",
  },
  ChildrenPage: {
    type: "object",
    properties: {
      commit: { $ref: "CommitSummaryJson#", description: "Whose state it is." },
      node: { $ref: "NodeJson#", description: "Left out where there is no such node, with all that follows." },
      children: { type: "array", items: { $ref: "ChildJson#" }, description: "By name." },
      next: { type: "string", description: "Where to go on; left out at the end." },
    },
    required: ["commit"],
    description: "A page of a node's children.",
  },
  CommitEvent: {
    type: "object",
    properties: {
      oid: { type: "string" },
      seq: { type: "number" },
      time: { type: "string" },
      domain: { type: "number" },
      connection: { type: "string" },
      transaction: { type: "number" },
      subject: { type: "string" },
      historyBegins: {
        type: "boolean",
        description:
          "In a log: what was before this commit has been given up, so that it stands there for whatever its state has.",
      },
      paths: {
        type: "array",
        items: {
          type: "object",
          properties: {
            path: { type: "string" },
            isRemoval: {
              type: "boolean",
              const: true,
              description: "Whether it went, with all that was below. Left out where not.",
            },
          },
          required: ["path"],
        },
        description: "What it changed, at most `EVENT_PATHS_MAX`; with a path in question, what is at or below that.",
      },
      hasMore: { type: "boolean", const: true, description: "Whether there are more. Left out where not." },
    },
    required: ["oid", "paths", "subject"],
    description: "A commit.",
  },
  CommitJson: {
    type: "object",
    properties: {
      oid: { type: "string" },
      seq: { type: "number" },
      time: { type: "string" },
      domain: { type: "number" },
      connection: { type: "string" },
      transaction: { type: "number" },
      subject: { type: "string" },
      historyBegins: {
        type: "boolean",
        description:
          "In a log: what was before this commit has been given up, so that it stands there for whatever its state has.",
      },
      parents: { type: "array", items: { type: "string" } },
      requests: {
        type: "array",
        items: { type: "string" },
        description: "One line for each: the operation, what it was about, and what was to become of that.",
      },
      changes: {
        type: "array",
        items: { $ref: "ChangeJson#" },
        description: "Left out where what was before the commit has been given up.",
      },
      meanwhile: { $ref: "MeanwhileJson#", description: "Left out where the commit was made from the one before it." },
    },
    required: ["oid", "parents", "requests", "subject"],
    description: "A commit in full.",
  },
  CommitSummaryJson: {
    type: "object",
    properties: {
      oid: { type: "string" },
      seq: { type: "number" },
      time: { type: "string" },
      domain: { type: "number" },
      connection: { type: "string" },
      transaction: { type: "number" },
      subject: { type: "string" },
      historyBegins: {
        type: "boolean",
        description:
          "In a log: what was before this commit has been given up, so that it stands there for whatever its state has.",
      },
    },
    required: ["oid", "subject"],
    description:
      "A commit without its changes. What its trailers do not say, as those of a foreign commit, is left out.",
  },
  ConflictJson: {
    type: "object",
    properties: {
      base: { type: "number", description: "The last commit of the state that it began with." },
      operation: { type: "string", description: "The first request whose answer was no longer the same." },
      path: { type: "string" },
      commit: {
        type: "number",
        description: "The commit that changed the answer, if the daemon knows it; the history may have it no more.",
      },
    },
    required: ["base", "operation", "path"],
    description: "Why a transaction ended in EAGAIN.",
  },
  ConnectionJson: {
    type: "object",
    properties: {
      id: { type: "number" },
      name: { type: "string", description: "As the history names it." },
      domain: { type: "number" },
      watches: { type: "number" },
      transactions: { type: "number" },
      unreadBytes: { type: "number", description: "Output that it has not read." },
      eagainStreak: { type: "number", description: "How many transactions in a row ended in EAGAIN." },
    },
    required: ["id", "name", "domain", "watches", "transactions", "unreadBytes", "eagainStreak"],
    description: "A client's connection.",
  },
  ConnectionsPage: {
    type: "object",
    properties: { connections: { type: "array", items: { $ref: "ConnectionJson#" } }, next: { type: "number" } },
    required: ["connections"],
    description: "`GET /v1/connections`: by age.",
  },
  ConsoleAnswer: {
    type: "object",
    properties: {
      url: {
        type: "string",
        description:
          "The explorer's address, with the token behind its `#`, which no browser sends. Left out where browsers are not served.",
      },
      problem: { type: "string", description: "Why they are not, though they were to; for people." },
      repository: { type: "string", description: "The directory of the history's repository, absolute." },
    },
    required: ["repository"],
    description: "`GET /v1/console`",
  },
  DensityAnswer: {
    type: "object",
    properties: {
      from: { $ref: "CommitSummaryJson#" },
      to: { $ref: "CommitSummaryJson#" },
      ends: {
        type: "array",
        items: { type: "number" },
        description:
          "For each part, the seq of the last commit at its end: never smaller than the one before it, the last one that of `to`. So the first has `ends[0] - from.seq + 1` commits, and part i `ends[i] - ends[i - 1]`.",
      },
    },
    required: ["from", "to", "ends"],
    description: "How the commits of a branch lie in time.",
  },
  DiffPage: {
    type: "object",
    properties: {
      from: { $ref: "CommitSummaryJson#" },
      to: { $ref: "CommitSummaryJson#" },
      changes: { type: "array", items: { $ref: "ChangeJson#" } },
      next: { type: "string", description: "Where to go on; left out at the end." },
    },
    required: ["from", "to", "changes"],
    description:
      "A page of a difference. All pages together have every node that came, went (each of them, not the top alone) or is another, in the order of `xs ls`; the last page has besides them, however many they are, special paths, quotas and domains.",
  },
  DomainJson: {
    type: "object",
    properties: {
      introduction: {
        type: "object",
        properties: { gfn: { type: "number" }, port: { type: "number" }, seq: { type: "number" } },
        required: ["gfn", "port"],
        description:
          "Left out where it is not introduced. `seq` is the number of the commit that introduced it, which tells it from another one of the same domid; not known of those that 0.1.0 introduced.",
      },
      target: { type: "number" },
      features: { type: "number" },
      shutdown: { type: "boolean" },
      quotas: { type: "object", additionalProperties: { type: "number" }, description: "By name." },
      domain: { type: "number" },
      connections: { type: "number" },
      nodesOwned: { type: "number" },
      watches: { type: "number" },
      transactions: { type: "number" },
      unreadBytes: { type: "number" },
      heldSeconds: { type: "number", description: "How long nothing of it is served now, for being in others' way." },
    },
    required: [
      "connections",
      "domain",
      "heldSeconds",
      "nodesOwned",
      "quotas",
      "shutdown",
      "transactions",
      "unreadBytes",
      "watches",
    ],
    description: "A guest, or a domain that is yet to be introduced.",
  },
  DomainRecordJson: {
    type: "object",
    properties: {
      introduction: {
        type: "object",
        properties: { gfn: { type: "number" }, port: { type: "number" }, seq: { type: "number" } },
        required: ["gfn", "port"],
        description:
          "Left out where it is not introduced. `seq` is the number of the commit that introduced it, which tells it from another one of the same domid; not known of those that 0.1.0 introduced.",
      },
      target: { type: "number" },
      features: { type: "number" },
      shutdown: { type: "boolean" },
      quotas: { type: "object", additionalProperties: { type: "number" }, description: "By name." },
    },
    required: ["shutdown", "quotas"],
    description: "What the daemon knows of a domain besides its nodes.",
  },
  DomainsPage: {
    type: "object",
    properties: { domains: { type: "array", items: { $ref: "DomainJson#" } }, next: { type: "number" } },
    required: ["domains"],
    description: "`GET /v1/domains`: by number.",
  },
  FailureJson: {
    type: "object",
    properties: {
      time: { type: "string", description: "When it failed last, and when first." },
      firstTime: { type: "string" },
      count: { type: "number" },
      connection: { type: "string" },
      domain: { type: "number" },
      operation: { type: "string" },
      transaction: { type: "number" },
      subject: {
        type: "string",
        description:
          "A path, `(no path)` where there was to be one and was none, a domain; empty where it is about nothing in particular.",
      },
      error: { type: "string" },
      seq: { type: "number", description: "The last commit when it failed last." },
      conflict: { $ref: "ConflictJson#", description: "With EAGAIN." },
    },
    required: ["time", "firstTime", "count", "connection", "domain", "operation", "subject", "error", "seq"],
    description: "A request that failed, perhaps more than once in a row.",
  },
  FailuresAnswer: {
    type: "object",
    properties: {
      failures: { type: "array", items: { $ref: "FailureJson#" } },
      next: { type: "number", description: "The next page's `cursor`; left out at the end." },
    },
    required: ["failures"],
    description: "Newest first.",
  },
  FlipsJson: {
    type: "object",
    properties: {
      count: { type: "number" },
      looked: { type: "number", description: "Flips were looked for in so many commits, the newest." },
      commits: { type: "number", description: "Commits in question." },
    },
    required: ["count", "looked", "commits"],
    description:
      "How often the predicate turns over after the good commit, up to the bad one. Once is what a bisection supposes.",
  },
  ForkJson: {
    type: "object",
    properties: {
      name: { type: "string", description: "Without `refs/heads/`." },
      socket: {
        type: "string",
        description:
          "Its privileged wire socket. Guests have theirs in the directory of the same name with `.domains` behind it.",
      },
      base: { type: "string", description: "The commit that it began with, 40 hexadecimal digits." },
      baseSeq: { type: "number" },
      leftMain: {
        type: "number",
        description:
          "Where that one is not on main: the seq of main's newest commit before it. Left out where the history does not tell.",
      },
      state: { type: "string", enum: ["starting", "served", "failed"] },
      reason: { type: "string", description: "Why it failed." },
      merge: {
        type: "object",
        properties: { tip: { type: "string" }, seq: { type: "number" } },
        required: ["tip", "seq"],
        description: "Its last merge into main: the commit that was merged, and main's commit that did it.",
      },
      pending: {
        type: "object",
        properties: { tip: { type: "string" }, after: { type: "number" } },
        required: ["tip", "after"],
        description: "A merge that was begun when main was at `after`; whether it was made main's history tells.",
      },
      tip: {
        type: "string",
        description: "Where it is deleted: its last commit, from which it can be made again as long as Git keeps that.",
      },
    },
    required: ["name", "socket", "base", "baseSeq", "state"],
    description: "A fork.",
  },
  ForksAnswer: {
    type: "object",
    properties: { forks: { type: "array", items: { $ref: "ForkJson#" } } },
    required: ["forks"],
    description: "The answer to `GET /v1/forks`.",
  },
  LoadAnswer: {
    type: "object",
    properties: {
      outcome: {
        type: "string",
        enum: ["committed", "unchanged", "planned"],
        description: "`unchanged`: the store is as it was to become. `planned`: it was asked for without being done.",
      },
      commit: { $ref: "CommitSummaryJson#", description: "The commit that did it, with `committed`." },
      changes: {
        type: "array",
        items: { $ref: "ChangeJson#" },
        description: "What changes, at most `CHANGES_LISTED_MAX` of it.",
      },
      changeCount: { type: "number" },
      nodeCount: { type: "number", description: "How many nodes the listing has, at and below that one." },
      remarks: {
        type: "array",
        items: { type: "string" },
        description: "In words with their line's number: what was taken otherwise than it stands there, or left out.",
      },
    },
    required: ["changeCount", "changes", "nodeCount", "outcome", "remarks"],
    description: "What became of a listing.",
  },
  LogPage: {
    type: "object",
    properties: {
      commits: { type: "array", items: { $ref: "CommitSummaryJson#" } },
      next: {
        type: "string",
        description:
          "Where to go on, also after a page without any commit: a page takes a bounded time. Left out at the end.",
      },
    },
    required: ["commits"],
    description: "A page of the log.",
  },
  MeanwhileJson: {
    type: "object",
    properties: {
      base: { type: "number", description: "The seq of the commit whose state the transaction began with." },
      count: { type: "number" },
      commits: {
        type: "array",
        items: { $ref: "CommitSummaryJson#" },
        description: "The last of them, newest first; perhaps not all.",
      },
    },
    required: ["base", "count", "commits"],
    description: "What others had committed when a transaction ended that began earlier.",
  },
  MergeAnswer: {
    type: "object",
    properties: {
      outcome: {
        type: "string",
        enum: ["committed", "unchanged", "planned"],
        description: "`unchanged`: the store is as it was to become. `planned`: it was asked for without being done.",
      },
      commit: { $ref: "CommitSummaryJson#", description: "The commit that did it, with `committed`." },
      target: { $ref: "CommitSummaryJson#", description: "The commit that was gone back to, or undone." },
      changes: {
        type: "array",
        items: { $ref: "ChangeJson#" },
        description: "What changes, at most `CHANGES_LISTED_MAX` of it.",
      },
      changeCount: { type: "number" },
      settled: {
        type: "array",
        items: { type: "string" },
        description: "In words, the conflicts that `prefer` settled.",
      },
      contained: {
        type: "object",
        properties: { seq: { type: "number" }, isMerge: { type: "boolean" } },
        required: ["seq", "isMerge"],
        description:
          "Where nothing was to be done because main has all of the fork's commits, though its nodes are others by now: main's commit that merged the last of them, or with which the fork began, having none of its own.",
      },
    },
    required: ["changeCount", "changes", "outcome", "settled", "target"],
    description: "What became of a merge; its `target` is the fork's commit that was merged.",
  },
  NodeAnswer: {
    type: "object",
    properties: {
      commit: { $ref: "CommitSummaryJson#", description: "Whose state it is." },
      node: { $ref: "NodeJson#", description: "Left out where there is no such node." },
      absence: {
        type: "string",
        description:
          "For people: which commit removed it, or what there is instead. Left out where there is such a node.",
      },
    },
    required: ["commit"],
    description: "A node, if there is one.",
  },
  NodeJson: {
    anyOf: [
      {
        type: "object",
        properties: {
          path: { type: "string" },
          perms: { type: "array", items: { type: "string" } },
          value: { type: "string" },
        },
        required: ["path", "perms", "value"],
      },
      {
        type: "object",
        properties: {
          path: { type: "string" },
          perms: { type: "array", items: { type: "string" } },
          valueBase64: { type: "string" },
        },
        required: ["path", "perms", "valueBase64"],
      },
    ],
    description: "A node of a state.",
  },
  NodeStateJson: {
    anyOf: [
      {
        type: "object",
        properties: { perms: { type: "array", items: { type: "string" } }, value: { type: "string" } },
        required: ["perms", "value"],
      },
      {
        type: "object",
        properties: { perms: { type: "array", items: { type: "string" } }, valueBase64: { type: "string" } },
        required: ["perms", "valueBase64"],
      },
    ],
    description: "A node's own state.",
  },
  Problem: {
    type: "object",
    properties: {
      type: { type: "string", const: "about:blank" },
      title: { type: "string", description: "The status in words." },
      status: { type: "number" },
      detail: { type: "string", description: "For people." },
      conflicts: {
        type: "array",
        items: { type: "string" },
        description: "With 409: what is in conflict, each in words or as a path.",
      },
    },
    required: ["type", "title", "status", "detail"],
    description: "Why something was not done.",
  },
  QuotaJson: {
    type: "object",
    properties: {
      name: { type: "string" },
      limit: { type: "number", description: "0 is unlimited." },
      isOwn: {
        type: "boolean",
        description: "Whether it was set for this domain; for the defaults, whether it was set at all.",
      },
    },
    required: ["name", "limit", "isOwn"],
    description: "A limit.",
  },
  QuotasAnswer: {
    type: "object",
    properties: { quotas: { type: "array", items: { $ref: "QuotaJson#" } } },
    required: ["quotas"],
    description: "Limits in force.",
  },
  RefJson: {
    type: "object",
    properties: {
      oid: { type: "string" },
      seq: { type: "number" },
      time: { type: "string" },
      domain: { type: "number" },
      connection: { type: "string" },
      transaction: { type: "number" },
      subject: { type: "string" },
      historyBegins: {
        type: "boolean",
        description:
          "In a log: what was before this commit has been given up, so that it stands there for whatever its state has.",
      },
      name: { type: "string", description: "Without `refs/heads/` or `refs/tags/`." },
    },
    required: ["name", "oid", "subject"],
    description: "A branch or a tag.",
  },
  RefsJson: {
    type: "object",
    properties: {
      branches: { type: "array", items: { $ref: "RefJson#" }, description: "Each with the commit at its tip." },
      tags: { type: "array", items: { $ref: "RefJson#" } },
    },
    required: ["branches", "tags"],
    description: "The names that commits have.",
  },
  TraceLineJson: {
    anyOf: [
      {
        type: "object",
        properties: {
          time: { type: "number" },
          connection: { type: "string" },
          domain: { type: "number" },
          tx: { type: "number", description: "Left out outside of transactions." },
          operation: { type: "string", description: "A name; the number of a type that has none." },
          payload: { type: "string", description: "NULs as such. Left out where it was redacted." },
          reply: { type: "string", description: "Left out with an error, and where it was redacted." },
          error: { type: "string" },
          seq: { type: "number", description: "Of the commit that it made." },
          asked: { type: "number", description: "When it was asked, where that was before `time`." },
          kind: { type: "string", const: "request" },
        },
        required: ["connection", "domain", "kind", "operation", "time"],
      },
      {
        type: "object",
        properties: {
          time: { type: "number" },
          connection: { type: "string" },
          domain: { type: "number" },
          kind: { type: "string", const: "event" },
          path: { type: "string" },
          token: { type: "string" },
        },
        required: ["connection", "domain", "kind", "path", "time", "token"],
      },
      {
        type: "object",
        properties: {
          time: { type: "number" },
          connection: { type: "string" },
          domain: { type: "number" },
          kind: { type: "string", enum: ["opened", "closed"] },
        },
        required: ["connection", "domain", "kind", "time"],
      },
      {
        type: "object",
        properties: { kind: { type: "string", const: "gap" }, time: { type: "number" }, dropped: { type: "number" } },
        required: ["kind", "time", "dropped"],
      },
    ],
    description: "A line; times are in microseconds since the epoch. Texts may be their beginnings only.",
  },
  TracePage: {
    type: "object",
    properties: {
      lines: { type: "array", items: { $ref: "TraceLineJson#" }, description: "In the order of the trace." },
      next: {
        type: "string",
        description:
          "Where to go on, also after a page without any line: a page takes a bounded time. Left out at the end.",
      },
    },
    required: ["lines"],
    description: "A page of the trace.",
  },
  TransactionJson: {
    type: "object",
    properties: {
      connection: { type: "string" },
      domain: { type: "number" },
      id: { type: "number" },
      base: { type: "number", description: "The last commit that it sees." },
      behind: { type: "number", description: "Commits since." },
      requests: { type: "number" },
      logBytes: { type: "number", description: "Memory that it holds." },
      hasChanges: { type: "boolean" },
    },
    required: ["connection", "domain", "id", "base", "behind", "requests", "logBytes", "hasChanges"],
    description: "A transaction that has not ended.",
  },
  TransactionsPage: {
    type: "object",
    properties: { transactions: { type: "array", items: { $ref: "TransactionJson#" } }, next: { type: "number" } },
    required: ["transactions"],
    description:
      "`GET /v1/transactions`: by the age of their connections; a page may have a few more than its limit, and of a connection it tells the 100 oldest.",
  },
  TreePage: {
    type: "object",
    properties: {
      commit: { $ref: "CommitSummaryJson#", description: "Whose state it is." },
      nodes: {
        type: "array",
        items: { $ref: "NodeJson#" },
        description:
          "In the order of `xs ls`, without the node itself; left out where there is no such node. With a text in question perhaps none, and more to come: a page takes a bounded time.",
      },
      absence: {
        type: "string",
        description:
          "For people: which commit removed the node, or what there is instead of it. Left out where there is such a node.",
      },
      next: { type: "string", description: "Where to go on; left out at the end." },
    },
    required: ["commit"],
    description: "A page of nodes.",
  },
  ValueJson: {
    anyOf: [
      { type: "object", properties: { value: { type: "string" } }, required: ["value"] },
      { type: "object", properties: { valueBase64: { type: "string" } }, required: ["valueBase64"] },
    ],
    description: "A value.",
  },
  WhyAnswer: {
    type: "object",
    properties: {
      failure: { $ref: "FailureJson#" },
      commit: {
        $ref: "CommitSummaryJson#",
        description:
          "The commit that changed the answer; left out when the history has it no more, or it could not be told.",
      },
      others: {
        type: "number",
        description: "How many more of those that are remembered have the same id, on other connections or earlier.",
      },
      paths: {
        type: "array",
        items: {
          type: "object",
          properties: { path: { type: "string" }, count: { type: "number" } },
          required: ["path", "count"],
        },
        description: "What the transactions that ended in EAGAIN had read, by path, the most frequent first.",
      },
    },
    required: ["failure", "others", "paths"],
    description: "The last transaction with that id that ended in EAGAIN.",
  },
  WhyNotAnswer: {
    type: "object",
    properties: {
      exists: {
        type: "boolean",
        description:
          "Whether there is such a node, or it is a special path. Where there is none, `watches` tell what would be if it were made.",
      },
      connections: { type: "number" },
      watches: {
        type: "array",
        items: {
          type: "object",
          properties: {
            connection: { type: "string" },
            path: { type: "string" },
            token: { $ref: "ValueJson#" },
            depth: { type: "number" },
            obstacle: {
              type: "string",
              enum: ["depth", "perms", "length"],
              description:
                "`depth`: it does not reach so far; `perms`: neither the node nor its parent may be read; `length`: the path and its token do not fit a message. Left out where it fires.",
            },
          },
          required: ["connection", "path", "token"],
        },
        description: "The domain's watches at or above the path.",
      },
      watchesElsewhere: { type: "number" },
      events: {
        type: "array",
        items: {
          type: "object",
          properties: {
            seq: { type: "number", description: "The commit that caused it." },
            connection: { type: "string" },
            domain: { type: "number" },
            watch: { type: "string" },
            token: { $ref: "ValueJson#" },
            path: {
              type: "string",
              description: "What it told of. (A client whose watch is relative reads less of it.)",
            },
            fate: {
              type: "string",
              enum: ["sent", "refused", "collapsed", "dropped"],
              description:
                "`collapsed`: an equal one waited; `dropped`: too long, or too much was left unread; `refused`: it may not be known.",
            },
          },
          required: ["seq", "connection", "domain", "watch", "token", "path", "fate"],
        },
        description:
          "The last events about the path, and those above and below it that `commits` caused; of all domains, newest first.",
      },
      commits: {
        type: "array",
        items: { $ref: "CommitSummaryJson#" },
        description:
          "The last commits that changed the node or something below it; of a special path, those that caused the events.",
      },
    },
    required: ["exists", "connections", "watches", "watchesElsewhere", "events", "commits"],
    description: "What a domain is told of a node, by what is so now; and what others were told lately.",
  },
  WriteAnswer: {
    type: "object",
    properties: {
      outcome: {
        type: "string",
        enum: ["committed", "unchanged"],
        description: "`unchanged`: nothing changed, and no watch fired.",
      },
      branch: { type: "string" },
      seq: { type: "number", description: "Of the commit: `@{SEQ}` is the revision." },
    },
    required: ["outcome", "branch"],
    description:
      "What became of it. It is safe when it is told; the history has it within a second, or when somebody asks for it.",
  },
} as const;

/** Such a name. */
export type AnswerName = keyof typeof ANSWER_SCHEMAS;

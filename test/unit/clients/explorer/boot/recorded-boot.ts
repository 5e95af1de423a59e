/**
 * The boot of the fixture trace as the HTTP API would tell it: each request and event of the trace, and a commit for each change.
 */
import { readFileSync } from "node:fs";
import type { ActivityChange, ActivityCommit } from "../../../../../protocol/http-api/activity.js";
import type { TraceLineJson } from "../../../../../protocol/http-api/trace.js";
import type { Recording } from "../../../../../clients/explorer/boot/recording.js";
import { parseTrace } from "../../../../../simulator/trace/parser.js";
import type { RequestStep, Step } from "../../../../../simulator/trace/trace.js";

const FIXTURE = new URL("../../../../../simulator/fixtures/pvh-boot-and-destroy.trace", import.meta.url);
const UUID = "d0c35fb5-3bd1-4b5e-9f0a-6c3d1f7a9e21";

/** Which boot, and when. */
export interface BootChoice {
  readonly domain: number;
  readonly uuid: string;
  readonly name: string;
  /** In microseconds since the epoch. */
  readonly start: number;
  readonly firstSeq: number;
  /** Changes the fixture's lines, or takes them out: plants a difference. */
  readonly edit?: (line: string) => string | undefined;
  /** How far steps are apart. */
  readonly stepMicroseconds?: number;
}

/** 2026-11-23T07:10:04Z */
export const START = Date.UTC(2026, 10, 23, 7, 10, 4) * 1000;

/** The boot of domain 5. */
export const BOOT: BootChoice = {
  domain: 5,
  uuid: "11111111-2222-4333-8444-555555555555",
  name: "web",
  start: START,
  firstSeq: 1,
};

/** The recording of a boot, with a trace. */
export function recordedBoot(choice: BootChoice): Recording & { readonly lines: readonly TraceLineJson[] } {
  const recorder = new Recorder(choice);
  for (const { steps } of parseTrace(renamed(choice), "fixture").phases) for (const step of steps) recorder.take(step);
  return { commits: recorder.commits, lines: recorder.lines, failures: [] };
}

/** The time of a number of microseconds, as the API tells it. */
export function iso(microseconds: number): string {
  const milliseconds = Math.floor(microseconds / 1000);
  return new Date(milliseconds).toISOString().replace("Z", `${String(microseconds % 1000).padStart(3, "0")}Z`);
}

function renamed({ domain, uuid, name, edit = (line) => line }: BootChoice): string {
  const number = String(domain);
  const lines = readFileSync(FIXTURE, "utf8")
    .split("\n")
    .map(edit)
    .filter((line) => line !== undefined);
  return lines
    .join("\n")
    .replaceAll(UUID, uuid)
    .replaceAll('"vm"', `"${name}"`)
    .replace(/(\/local\/domain\/|\/libxl\/|backend\/(?:vbd|vif|console)\/)1(?=[/ "\n])/g, `$1${number}`)
    .replace(/ ([nr])1(?=[ \n])/g, ` $1${number}`)
    .replace(/(INTRODUCE|GET_DOMAIN_PATH|RELEASE|domain destroy|domain shutdown) 1(?=[ \n])/g, `$1 ${number}`)
    .replace(/\/(frontend-id|domid) "1"/g, `/$1 "${number}"`)
    .replace(/^(actor .*) dom1$/gm, `$1 dom${number}`);
}

class Recorder {
  readonly commits: ActivityCommit[] = [];
  readonly lines: TraceLineJson[] = [];
  readonly #choice: BootChoice;
  readonly #nodes = new Map<string, string>();
  readonly #open = new Map<string, { readonly id: number; readonly base: number; readonly steps: RequestStep[] }>();
  readonly #connections = new Map<string, number>();
  #lastId = 0;
  #time: number;

  constructor(choice: BootChoice) {
    this.#choice = choice;
    this.#time = choice.start;
  }

  take(step: Step): void {
    this.#time += this.#choice.stepMicroseconds ?? 100;
    const { actor } = step;
    const domain = actor.domid as number;
    const connection = this.#connectionOf(actor.name, actor.connection === "each", domain);
    const origin = { time: this.#time, connection, domain };
    if (step.kind === "event") {
      this.lines.push({ kind: "event", ...origin, path: step.path, token: step.token });
      return;
    }
    const { operation, payload, error } = step;
    const open = this.#open.get(connection);
    const tx = step.inTransaction || operation === "TRANSACTION_END" ? open?.id : undefined;
    const outcome = error === undefined ? this.#act(step, connection, domain) : { error };
    this.lines.push({ kind: "request", ...origin, tx, operation, payload, ...outcome });
  }

  #connectionOf(name: string, isNew: boolean, domain: number): string {
    if (isNew) this.#connections.delete(name);
    const number = this.#connections.get(name) ?? ++this.#lastId;
    this.#connections.set(name, number);
    return domain === 0 ? `socket-${String(number)}` : `domain-${String(domain)}-${String(number)}`;
  }

  #act(
    step: RequestStep,
    connection: string,
    domain: number,
  ): { readonly reply: string; readonly seq?: number | undefined } {
    if (step.operation === "TRANSACTION_START") {
      const id = ++this.#lastId;
      this.#open.set(connection, { id, base: this.#lastSeq(), steps: [] });
      return { reply: `${String(id)}\0` };
    }
    const open = this.#open.get(connection);
    if (step.operation === "TRANSACTION_END" && open !== undefined) {
      this.#open.delete(connection);
      return {
        reply: "OK\0",
        seq: this.#commit(open.steps, { connection, domain, transaction: open.id, base: open.base }),
      };
    }
    if (step.inTransaction && open !== undefined) {
      if (isChange(step)) open.steps.push(step);
      return { reply: "OK\0" };
    }
    return { reply: "OK\0", seq: isChange(step) ? this.#commit([step], { connection, domain }) : undefined };
  }

  #lastSeq(): number {
    return this.commits.at(-1)?.seq ?? this.#choice.firstSeq - 1;
  }

  #commit(
    steps: readonly RequestStep[],
    origin: {
      readonly connection: string;
      readonly domain: number;
      readonly transaction?: number;
      readonly base?: number;
    },
  ): number | undefined {
    if (steps.length === 0) return undefined;
    const before = new Map(this.#nodes);
    const requests = steps.map((step) => this.#apply(step, origin.domain));
    const paths = [...new Set([...before.keys(), ...this.#nodes.keys()])].sort();
    const changes = paths
      .filter((path) => before.get(path) !== this.#nodes.get(path))
      .map((path): ActivityChange => ({ path, before: before.get(path), after: this.#nodes.get(path) }));
    const seq = this.#lastSeq() + 1;
    const { base, ...rest } = origin;
    const told = base === undefined || base === seq - 1 ? undefined : base;
    const oid = seq.toString(16).padStart(40, "0");
    this.commits.push({
      oid,
      seq,
      time: iso(this.#time),
      ...rest,
      base: told,
      subject: requests[0] ?? "",
      requests,
      changes,
    });
    return seq;
  }

  /** Does it, and tells the line of the commit's message. */
  #apply({ operation, payload }: RequestStep, domain: number): string {
    const [first = "", ...others] = payload.split("\0");
    if (operation === "INTRODUCE") return `INTRODUCE ${first} ${others.slice(0, 2).join(" ")}`;
    const path = first.startsWith("/") ? first : `/local/domain/${String(domain)}/${first}`;
    if (operation === "SET_PERMS") return `SET_PERMS ${path} ${others.filter((each) => each !== "").join(" ")}`;
    if (operation === "RM") {
      for (const each of [...this.#nodes.keys()])
        if (each === path || each.startsWith(`${path}/`)) this.#nodes.delete(each);
      return `RM ${path}`;
    }
    for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
      const parent = path.slice(0, end);
      if (!this.#nodes.has(parent)) this.#nodes.set(parent, "");
    }
    if (operation === "MKDIR") {
      if (!this.#nodes.has(path)) this.#nodes.set(path, "");
      return `MKDIR ${path}`;
    }
    this.#nodes.set(path, others.join("\0"));
    return `WRITE ${path} "${others.join("\\x00")}"`;
  }
}

const CHANGES: ReadonlySet<string> = new Set(["WRITE", "MKDIR", "RM", "SET_PERMS", "INTRODUCE"]);

function isChange({ operation }: RequestStep): boolean {
  return CHANGES.has(operation);
}

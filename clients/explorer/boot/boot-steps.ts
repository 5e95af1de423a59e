/**
 * A machine's life as steps that can be compared with another's.
 *
 * Owns what is the same under two names: the domain's number becomes `$D`, the machine's uuid `$U`, its name `$N`, in paths, values and
 * perms; and values that are mere identities, as ports, addresses and times are, become their kind. States and other words in which the two
 * ends talk stay as they are.
 *
 *     /local/domain/7/device/vif/0/backend = /local/domain/0/backend/vif/7/0
 *     /local/domain/$D/device/vif/0/backend = /local/domain/0/backend/vif/$D/0
 *
 * Steps come from commits alone, so that two boots compare alike with a trace and without.
 */
import type { ActivityCommit } from "../../../protocol/http-api/activity.js";
import { timeOf } from "../words/times.js";
import { aboutDomain, type AboutDomain } from "./about-domain.js";
import { requestOfLine } from "./told-request.js";

/** A change of one node, or of the domain itself. */
export interface BootStep {
  /** In microseconds since the boot's beginning. */
  readonly at: number;
  /** The commit. */
  readonly seq: number | undefined;
  /** As it is in the store. */
  readonly path: string;
  /** Undefined where the node went. */
  readonly value: string | undefined;
  /** What has to be equal: of which node, */
  readonly key: string;
  /** and what became of it. */
  readonly meaning: string;
}

/** A boot. */
export interface Boot {
  readonly domain: number;
  /** Of the machine, where it is known. */
  readonly name: string | undefined;
  /** When it began, in microseconds since the epoch; undefined where there is nothing about the domain. */
  readonly start: number | undefined;
  /** Whether it is seen how the domain was made; else it began earlier. */
  readonly hasBeginning: boolean;
  /** How long it was looked at: what would come later is not known. */
  readonly length: number;
  readonly steps: readonly BootStep[];
}

/** Nodes whose value is told as it is, also where it is a number. */
const TELLING =
  /\/(?:state|hotplug-status|online|error|shutdown|mode|removable|bootable|trusted|type|(?:platform-)?feature-[^/]+|request-[^/]+|discard-[^/]+)$|\/error\//;

/** Values that differ from machine to machine, and from run to run. */
const IDENTITIES: readonly (readonly [string, RegExp])[] = [
  ["uuid", /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i],
  ["address", /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i],
  ["address", /^\d{1,3}(?:\.\d{1,3}){3}$/],
  ["address", /^(?=[^:]*:[^:]*:)[0-9a-f:.]+$/i],
  ["number", /^-?\d+(?:[.: ]\d+)*(?:[-+]\d+)?$/],
  ["number", /^(?=.*\d)(?:0x)?[0-9a-f]+(?::[0-9a-f]+)?$/i],
  ["terminal", /^\/dev\/pts\/\d+$/],
  ["time", /^[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}$/],
  ["time", /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d/],
];

/** The boot of a domain in what was loaded: the last one, where its number was used more than once. */
export function bootOf(domain: number, loaded: readonly ActivityCommit[]): Boot {
  const made = loaded.findLastIndex((commit) => makesDomain(commit, domain));
  const commits = loaded.slice(Math.max(0, made));
  const about = aboutDomain(domain, commits);
  const name = nameOf(domain, commits);
  const renaming = renamingOf(about, name);
  const steps: BootStep[] = [];
  let start: number | undefined;
  for (const commit of commits) {
    const found = stepsOf(commit, about);
    if (found.length === 0) continue;
    const time = timeOf(commit);
    start ??= time;
    for (const step of found) {
      const prefix = step.kind === "node" ? "" : `${step.kind} `;
      const key = `${prefix}${renaming.path(step.path)}`;
      const path = `${prefix}${step.path}`;
      steps.push({ at: time - start, seq: commit.seq, path, value: step.value, key, meaning: renaming.meaning(step) });
    }
  }
  const last = commits.at(-1);
  const end = last === undefined ? 0 : timeOf(last);
  const length = start === undefined ? 0 : end - start;
  return { domain, name, start, hasBeginning: made !== -1, length, steps };
}

/** Whether a toolstack makes the domain with this: it then says which machine it is. */
function makesDomain({ changes }: ActivityCommit, domain: number): boolean {
  const node = `/local/domain/${String(domain)}/vm`;
  return changes.some(({ path, before, after }) => path === node && before === undefined && after !== undefined);
}

interface FoundStep {
  readonly path: string;
  readonly value: string | undefined;
  readonly kind: "node" | "SET_PERMS" | "INTRODUCE" | "RELEASE";
}

function stepsOf({ changes, requests }: ActivityCommit, about: AboutDomain): readonly FoundStep[] {
  const found: FoundStep[] = [];
  for (const { path, before, after } of changes) {
    // The perms of a node are told by the requests.
    if (about.path(path) && before !== after) found.push({ path, value: after, kind: "node" });
  }
  const perms = new Map<string, FoundStep>();
  for (const line of requests) {
    const told = requestOfLine(line);
    if (told === undefined) continue;
    const { operation, subject, detail } = told;
    if (operation === "SET_PERMS" && about.path(subject))
      perms.set(subject, { path: subject, value: detail, kind: operation });
    else if ((operation === "INTRODUCE" || operation === "RELEASE") && subject === String(about.domain)) {
      found.push({ path: subject, value: "", kind: operation });
    }
  }
  return [...found, ...perms.values()];
}

/** Says with `$D`, `$U` and `$N` what a boot says with names of its own. */
interface Renaming {
  path(path: string): string;
  /** What a step comes to. */
  meaning(step: FoundStep): string;
}

function renamingOf({ domain, uuids }: AboutDomain, name: string | undefined): Renaming {
  const digits = String(domain);
  const ofDomain = new RegExp(`^(/local/domain/|/libxl/|/local/domain/\\d+/backend/[^/]+/)${digits}(?=/|$)`);
  const inPerms = new RegExp(`(^| )([nrwb])${digits}(?= |$)`, "g");
  const inNames =
    name === undefined ? undefined : new RegExp(`(?<![a-z0-9])${escapedForPattern(name)}(?![a-z0-9])`, "gi");
  const path = (text: string): string => {
    // What an INTRODUCE is about.
    if (text === digits) return "$D";
    let same = text.replace(ofDomain, "$1$$D");
    for (const uuid of uuids) same = same.replaceAll(uuid, "$U");
    return same;
  };
  const valueOf = (node: string, value: string): string => {
    if (value === digits && OF_DOMAIN.test(node)) return "$D";
    if (TELLING.test(node)) return value;
    const [identity] = IDENTITIES.find(([, pattern]) => pattern.test(value)) ?? [];
    if (identity !== undefined && !uuids.includes(value)) return `a ${identity}`;
    return inNames === undefined ? path(value) : path(value).replace(inNames, "$$N");
  };
  return {
    path,
    meaning: ({ kind, path: node, value }) => {
      if (value === undefined) return "gone";
      return `= ${kind === "SET_PERMS" ? value.replace(inPerms, "$1$2$$D") : valueOf(node, value)}`;
    },
  };
}

/** Nodes that have to have the number of their own domain. */
const OF_DOMAIN = /\/(?:frontend-id|domid)$/;

function escapedForPattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

function nameOf(domain: number, commits: readonly ActivityCommit[]): string | undefined {
  const node = `/local/domain/${String(domain)}/name`;
  for (const { changes } of commits) {
    for (const { path, after } of changes) if (path === node && after !== undefined && after !== "") return after;
  }
  return undefined;
}

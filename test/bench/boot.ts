/**
 * `npm run bench -- boot`: virtual machines in parallel: the benchmark that was published with the Irmin-based daemon, and
 * whole lives.
 *
 * Owns the rows, their targets, and what is said of the line in N. The requests are the simulator's (see `vm-script.ts`), a C
 * program plays them, and one run goes before that is not measured: a daemon boots machines when it has served others. A peer
 * that has not ended after `SECONDS_MAX` is counted with that time, and the ratio to it is at least what is told.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { valueOf, type Measured, type Row, type RowResult, type Target } from "./comparison.js";
import type { Comparison } from "./comparison-report.js";
import { chooseRows, compare } from "./contenders.js";
import type { BenchDaemon } from "./daemon.js";
import type { BenchmarkOptions } from "./figures.js";
import { recordPublished, recordStorm, type MachineScripts } from "./vm-script.js";
import { compileWireLoad, NoCompilerError, numberOf, runLoadProgram } from "./wire-load.js";

const VMS = [10, 50, 100, 200];
/** Machines of the run that goes before. */
const WARMING_VMS = 30;
const SECONDS_MAX = 60;

type Kind = "published" | "storm";

const RECORDERS: Readonly<Record<Kind, (vms: number) => Promise<MachineScripts>>> = {
  published: recordPublished,
  storm: recordStorm,
};

const TARGETS: Readonly<Record<string, Target>> = {
  "published-200": { ratioTo: { xenstored: 20, oxenstored: 1.3 } },
  "storm-100": { ratio: 2 },
};

/** How much more a machine may take among 200 than among 50 for the times to lie on a straight line. */
const STRAIGHT_MAX = 1.25;

/** Runs it: `--rounds` (3). */
export async function benchBoot(options: BenchmarkOptions): Promise<Comparison> {
  const directory = mkdtempSync(join(tmpdir(), "xenstore-bench-boot-"));
  try {
    const program = await compileWireLoad();
    const kinds = ["published", "storm"] as const;
    const all = kinds.flatMap((kind) => VMS.map((vms) => rowOf(kind, vms)));
    const chosen = chooseRows(all, options.rows ?? []);
    const scripts = await writeScripts(directory, chosen);
    const rows = chosen.map((row) => comparedRow(program, scripts, row));
    const comparison = await compare(rows, options, []);
    const ours = comparison.contenders.filter(({ isPeer }) => !isPeer).map(({ name }) => name);
    return { ...comparison, notes: [...comparison.notes, ...describeLines(comparison.results, ours)] };
  } catch (error) {
    if (!(error instanceof NoCompilerError)) throw error;
    return await compare([], options, [error.message]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

interface BootRow {
  readonly name: string;
  readonly kind: Kind;
  readonly vms: number;
}

function rowOf(kind: Kind, vms: number): BootRow {
  return { name: nameOf(kind, vms), kind, vms };
}

function nameOf(kind: Kind, vms: number): string {
  return `${kind}-${String(vms)}`;
}

/** Scripts of the rows and of the runs before them, by kind and number of machines. */
async function writeScripts(directory: string, rows: readonly BootRow[]): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const kind of new Set(rows.map((row) => row.kind))) {
    const counts = [WARMING_VMS, ...rows.filter((row) => row.kind === kind).map(({ vms }) => vms)];
    const most = Math.max(...counts);
    process.stderr.write(`recording ${String(most)} machines (${kind})\n`);
    const machines = await RECORDERS[kind](most);
    for (const count of counts) {
      const name = nameOf(kind, count);
      const file = join(directory, name);
      writeFileSync(file, machines.slice(0, count + 1).join(""), "latin1");
      files.set(name, file);
    }
  }
  return files;
}

function comparedRow(program: string, scripts: ReadonlyMap<string, string>, { name, kind }: BootRow): Row {
  return {
    name,
    unit: "s",
    target: TARGETS[name] ?? {},
    measure: async (daemon) => {
      await play(program, scripts.get(nameOf(kind, WARMING_VMS)), daemon);
      return play(program, scripts.get(name), daemon);
    },
  };
}

async function play(program: string, script: string | undefined, daemon: BenchDaemon): Promise<Measured> {
  if (script === undefined) throw new Error("there is no script");
  const before = daemon.processSeconds();
  const line = await runLoadProgram(program, ["play", daemon.socket, script, SECONDS_MAX], SECONDS_MAX);
  const number = (name: string): number => numberOf(line, name);
  return {
    value: number("seconds"),
    isLeast: number("done") < number("machines"),
    details: {
      requests: number("requests"),
      transactions: number("transactions"),
      eagain: number("eagain"),
      events: number("events"),
      // Whether the client or the daemon is what takes the time.
      clientProcessorSeconds: number("client_cpu_s"),
      daemonProcessorSeconds: Number((daemon.processSeconds() - before).toFixed(2)),
    },
  };
}

/** Says of each kind whether our times grow as the number of machines does. */
export function describeLines(results: readonly RowResult[], ours: readonly string[]): readonly string[] {
  const notes: string[] = [];
  for (const kind of ["published", "storm"] as const) {
    for (const contender of ours) {
      const each = (vms: number): number => {
        const result = results.find(({ row }) => row.name === nameOf(kind, vms));
        return result === undefined ? NaN : valueOf(result.cells, contender) / vms;
      };
      const growth = each(200) / each(50);
      if (Number.isNaN(growth)) continue;
      const verdict = growth <= STRAIGHT_MAX ? "reached" : "FALLS SHORT";
      notes.push(
        `${kind}, ${contender}: a machine among 200 takes ${growth.toFixed(2)} times as long as among 50, wanted ≤ ${String(STRAIGHT_MAX)}: ${verdict}`,
      );
    }
  }
  return notes;
}

/**
 * `npm run bench -- expressions [--rounds N]`: how long regular expressions take to search values.
 *
 * Owns the comparison with JavaScript's own engine, which goes back and so has no bound, on expressions and values as people
 * write them (nanoseconds a value); and what the worst of ours take: expressions of nearly as many steps as are allowed, on
 * 4096 bytes that are made for them (milliseconds a value, the median), and one that is refused for its size (milliseconds).
 */
import { compileExpression } from "../../protocol/predicate/regular-expression.js";
import { mustCompile } from "../support/must-compile.js";
import { median, rounded, type Benchmark, type Figures } from "./figures.js";

const ROUNDS = 20;
const VALUES_PER_ROUND = 50_000;
const VALUE_BYTES = 4096;

const VALUES: readonly string[] = [
  ...["", "1", "4", "6", "connected", "error", "vif12.0", "00:16:3e:12:34:56", "/local/domain/12/device/vbd/51712"],
  ...["51712:qcow2:/srv/images/vm-1234.qcow2", "/dev/mapper/vg-root12", "Linux 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC"],
];
const SIMPLE: readonly string[] = [
  ...["^[3-6]$", "^6$", "^$", "^vif", "qcow2", "^(error|busy)$", "/vbd/[0-9]+$"],
  ...["[0-9]+ MiB", "^([0-9a-f]{2}:){5}[0-9a-f]{2}$"],
];

/** No byte is in this class, and no search can tell so beforehand. */
const NO_BYTE = "[^\\x00-\\xff]";
const WORST: Readonly<Record<string, string>> = {
  "long window": `a[ab]{1000}[ab]{900}${NO_BYTE}`,
  "windows in a row": `(?:[ab]{0,30}a){30}${NO_BYTE}`,
  "mostly empty": `(?s)(?:(?:[ab]*){7}a\\B(?:[ab]\\B){0,300}(?:(?:(?:a*)+){0,10}){0,10})?${NO_BYTE}`,
};

/** Of `a` and half as many `b`, without a pattern, the same each time. */
function irregularValue(): string {
  let state = 1;
  const letters = Array.from({ length: VALUE_BYTES }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 16) % 3 === 0 ? "b" : "a";
  });
  return Buffer.from(letters.join(""), "latin1").toString("latin1");
}

/** Of the processor: others may keep it busy. */
function millisecondsOf(run: () => void): number {
  const start = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

function nanosecondsPerValue(expression: { test(value: string): boolean }, rounds: number): number {
  const round = (): void => {
    for (let index = 0; index < VALUES_PER_ROUND; index++) expression.test(VALUES[index % VALUES.length] as string);
  };
  round();
  return median(Array.from({ length: rounds }, () => (millisecondsOf(round) * 1e6) / VALUES_PER_ROUND));
}

/** Measures it. */
export const benchExpressions: Benchmark = ({ rounds = ROUNDS }) => {
  const figures: Record<string, Figures> = {};
  for (const source of SIMPLE) {
    const ours = nanosecondsPerValue(mustCompile(source), rounds);
    const native = nanosecondsPerValue(new RegExp(source), rounds);
    figures[source] = { oursNanoseconds: rounded(ours), javascriptNanoseconds: rounded(native) };
  }
  const value = irregularValue();
  for (const [name, source] of Object.entries(WORST)) {
    const expression = mustCompile(source);
    const times = Array.from({ length: rounds }, () => millisecondsOf(() => expression.test(value)));
    figures[`worst: ${name}`] = {
      milliseconds: rounded(median(times)),
      slowestMilliseconds: rounded(Math.max(...times)),
    };
  }
  const refused = millisecondsOf(() => compileExpression("a{0,1000}".repeat(113)));
  figures["refused for its size"] = { milliseconds: rounded(refused) };
  return Promise.resolve(figures);
};

/**
 * Times and amounts for people.
 */

const MICROSECONDS_PER_MILLISECOND = 1000;

/** Microseconds since the epoch of a time that the API told. */
export function microsecondsOf(iso: string): number {
  const [, whole = "", fraction = ""] = /^(.*?)(?:\.([0-9]+))?Z$/.exec(iso) ?? [];
  const digits = fraction.padEnd(6, "0").slice(0, 6);
  return Date.parse(`${whole}Z`) * MICROSECONDS_PER_MILLISECOND + Number(digits);
}

/** The time of what the API told, in microseconds since the epoch; 0 where it does not say. */
export function timeOf({ time }: { readonly time?: string | undefined }): number {
  return time === undefined ? 0 : microsecondsOf(time);
}

/** A time as the API takes it in a revision: ISO 8601 with microseconds, UTC. */
export function isoOf(microseconds: number): string {
  const whole = Math.floor(microseconds);
  const milliseconds = Math.floor(whole / MICROSECONDS_PER_MILLISECOND);
  const rest = String(whole - milliseconds * MICROSECONDS_PER_MILLISECOND).padStart(3, "0");
  return new Date(milliseconds).toISOString().replace("Z", `${rest}Z`);
}

/** Day and time of day to the millisecond, where the reader is. */
export function timeInWords(iso: string | undefined): string {
  if (iso === undefined) return "at a time that it does not tell";
  const date = new Date(Date.parse(iso));
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = [String(date.getFullYear()), two(date.getMonth() + 1), two(date.getDate())].join("-");
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(":");
  return `${day} ${clock}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

const UNITS = [
  [1_000_000, "s"],
  [1000, "ms"],
  [1, "µs"],
] as const;
const DIGITS = 3;

/** A span, to three digits: `1.25 s`, `12 ms`. */
export function spanInWords(microseconds: number): string {
  const size = Math.abs(microseconds);
  const [unit, name] = UNITS.find(([each]) => size >= each) ?? UNITS[2];
  return `${String(Number((microseconds / unit).toPrecision(DIGITS)))} ${name}`;
}

/** A count with its word: `1 commit`, `1,234 commits`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

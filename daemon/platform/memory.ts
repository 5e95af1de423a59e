/**
 * The memory of the process, for people.
 */

const MEBIBYTE = 1024 * 1024;

/** The process's memory, as lines of text. */
export function describeMemory(): string {
  const { rss, heapTotal, heapUsed, external } = process.memoryUsage();
  const lines = Object.entries({ rss, heapTotal, heapUsed, external }).map(
    ([name, bytes]) => `${name}: ${(bytes / MEBIBYTE).toFixed(1)} MiB`,
  );
  return `${lines.join("\n")}\n`;
}

/**
 * A daemon's metrics, as read from the text that Prometheus scrapes.
 *
 * Owns the reading, of our own daemon's text: names, labels and numbers, without times or escapes within labels.
 */

/** The metrics of one moment. */
export class ScrapedMetrics {
  readonly #samples = new Map<
    string,
    { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
  >();

  constructor(text: string) {
    for (const line of text.split("\n")) {
      const [, name, labels = "", value] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
      if (name === undefined) continue;
      const sample = { labels: labelsOf(labels), value: Number(value) };
      const samples = this.#samples.get(name);
      if (samples === undefined) this.#samples.set(name, [sample]);
      else samples.push(sample);
    }
  }

  /** The sum of a metric's samples that have these labels; 0 where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels);
    return (this.#samples.get(name) ?? [])
      .filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value))
      .reduce((sum, { value }) => sum + value, 0);
  }

  /** The values that a label has. */
  valuesOf(name: string, label: string): string[] {
    return [...new Set((this.#samples.get(name) ?? []).flatMap(({ labels }) => labels[label] ?? []))];
  }
}

function labelsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(/(\w+)="([^"]*)"/g), ([, name = "", value = ""]) => [name, value]),
  );
}

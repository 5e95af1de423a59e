/**
 * Server-sent events, read by `fetch`: a browser's own `EventSource` sends no token.
 *
 * Owns the reading of the stream's text (https://html.spec.whatwg.org/multipage/server-sent-events.html), piece by piece.
 */

/** An event. */
export interface ServerEvent {
  /** `message` unless it says otherwise. */
  readonly name: string;
  readonly data: string;
  /** The last id that came with this event or before it. */
  readonly id: string;
}

/** Makes events of pieces of a stream. */
export class EventParser {
  #rest = "";
  #name = "";
  #data: string[] = [];
  #id = "";

  /** The last id that came, also with what was no event. */
  get lastId(): string {
    return this.#id;
  }

  /** The events that are whole with this piece. */
  push(piece: string): readonly ServerEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r/);
    this.#rest = lines.pop() ?? "";
    const events: ServerEvent[] = [];
    for (const line of lines) {
      if (line !== "") {
        this.#take(line);
        continue;
      }
      if (this.#data.length > 0) {
        events.push({ name: this.#name === "" ? "message" : this.#name, data: this.#data.join("\n"), id: this.#id });
      }
      this.#name = "";
      this.#data = [];
    }
    return events;
  }

  #take(line: string): void {
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") this.#name = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id") this.#id = value;
  }
}

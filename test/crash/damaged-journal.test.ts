/** What the daemon says and does about a journal that was damaged while it was down. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { sealLine } from "../../daemon/journal/record.js";
import { startDaemon } from "../support/daemon-process.js";
import { withTemporaryDirectory } from "../support/temporary-directory.js";

/** Nothing is sealed unless somebody asks for it. */
const flags = ["--seal-ms", "60000"];

/** A journal in one segment, whose lines can be changed. */
class Segment {
  readonly path: string;
  lines: string[];

  constructor(directory: string) {
    const journal = join(directory, "state", "journal", "main");
    const [name = ""] = readdirSync(journal);
    this.path = join(journal, name);
    this.lines = readFileSync(this.path, "latin1").split("\n");
  }

  /** The index of the line of the commit that wrote this value. */
  lineWith(value: string): number {
    return this.lines.findIndex((line) => line.includes(`"set","/a","${value}"`));
  }

  offsetOf(line: number): number {
    return this.lines.slice(0, line).reduce((sum, text) => sum + text.length + 1, 0);
  }

  damage(line: number): void {
    this.lines[line] = this.lines[line]?.replace('"/a"', '"/e"') ?? "";
  }

  /** Makes it look as if it had been written before the machine was started. */
  pretendOtherBoot(): void {
    const header = JSON.parse(this.lines[0]?.slice(9) ?? "") as object;
    const other = { ...header, boot: "0c1f5b1e-0000-4000-8000-000000000001" };
    this.lines[0] = sealLine(JSON.stringify(other)).slice(0, -1);
  }

  save(): void {
    writeFileSync(this.path, this.lines.join("\n"), "latin1");
  }
}

/** A daemon wrote four values and was killed. */
async function killedDaemon(directory: string, flushAfter?: string): Promise<Segment> {
  const daemon = await startDaemon({ directory, flags });
  const client = await daemon.connect();
  for (const value of ["one", "two", "three", "four"]) {
    await client.must("WRITE", ["/a", value]);
    if (value === flushAfter) await client.must("CONTROL", ["flush"]);
  }
  await daemon.kill("SIGKILL");
  return new Segment(directory);
}

describe("a daemon whose journal was damaged", () => {
  it("does not start, and says where, why and what to do", async () => {
    await withTemporaryDirectory(async (directory) => {
      const segment = await killedDaemon(directory, "one");
      const line = segment.lineWith("three");
      segment.damage(line);
      segment.save();
      const message = `the journal is damaged at ${segment.path}, byte ${String(segment.offsetOf(line))}: commit `;
      await expect(startDaemon({ directory, flags })).rejects.toThrow(message);
      await expect(startDaemon({ directory, flags })).rejects.toThrow(
        /move .*\/journal\/main aside to go on from the end/,
      );
      expect(readFileSync(segment.path, "latin1")).toBe(segment.lines.join("\n"));
    });
  });

  it("starts when the history has the damaged commit, and says so", async () => {
    await withTemporaryDirectory(async (directory) => {
      const segment = await killedDaemon(directory, "three");
      const line = segment.lineWith("two");
      segment.damage(line);
      segment.save();
      const daemon = await startDaemon({ directory, flags });
      await daemon.logged(`offset=${String(segment.offsetOf(line))}`);
      expect(daemon.stderr()).toMatch(
        / warn the journal is damaged where the history has all its commits: passed over/,
      );
      expect(await (await daemon.connect()).must("READ", ["/a"])).toBe("four");
      await daemon.stop();
    });
  });

  it("starts after a power cut without what had not been synced, and says as an error how much went with it", async () => {
    await withTemporaryDirectory(async (directory) => {
      const segment = await killedDaemon(directory);
      const line = segment.lineWith("two");
      segment.pretendOtherBoot();
      segment.damage(line);
      segment.save();
      const daemon = await startDaemon({ directory, flags });
      await daemon.logged(`offset=${String(segment.offsetOf(line))}`);
      expect(daemon.stderr()).toMatch(/ error the journal has a bad line .* commits=2\n/);
      expect(await (await daemon.connect()).must("READ", ["/a"])).toBe("one");
      await daemon.stop();
    });
  });
});

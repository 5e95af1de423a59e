/**
 * Plays every transcript in `transcripts/`: always against our daemon, and against a real xenstored when
 * `XENSTORE_PEER_COMMAND` names one (see README.md). Keeps the README's table of differences true to the transcripts.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { configuredPeer, startDaemon, startPeer, type DaemonProcess } from "../support/daemon-process.js";
import { playTranscript, restore, takeBaseline, type Baseline, type Opponent } from "./player.js";
import { differencesOf, parseTranscripts, type Transcript } from "./transcript.js";

const folder = join(import.meta.dirname, "transcripts");
const files = readdirSync(folder)
  .filter((name) => name.endsWith(".transcript"))
  .sort();
const transcripts = files.flatMap((name) => parseTranscripts(name, readFileSync(join(folder, name), "utf8")));

/** Why this transcript cannot be played here, or undefined. */
function skipReason(transcript: Transcript, opponent: Opponent): string | undefined {
  if (opponent === "ours") return undefined;
  if (transcript.hasGuests) return "a peer has no guest sockets";
  return transcript.skipped.find(({ peer }) => peer === opponent)?.reason;
}

function playAll(opponent: Opponent, start: () => Promise<DaemonProcess>): void {
  let shared: { readonly daemon: DaemonProcess; readonly baseline: Baseline } | undefined;
  const launch = async (): Promise<{ readonly daemon: DaemonProcess; readonly baseline: Baseline }> => {
    const daemon = await start();
    return { daemon, baseline: await takeBaseline(daemon) };
  };
  beforeAll(async () => {
    shared = await launch();
  });
  afterAll(async () => {
    await shared?.daemon.stop();
  });
  for (const transcript of transcripts) {
    const reason = skipReason(transcript, opponent);
    const title = `${transcript.file}: ${transcript.title}`;
    test.skipIf(reason !== undefined)(reason === undefined ? title : `${title} (skipped: ${reason})`, async () => {
      const { daemon, baseline } = transcript.fresh || shared === undefined ? await launch() : shared;
      try {
        await playTranscript(daemon, opponent, transcript);
      } finally {
        if (daemon === shared?.daemon) await restore(daemon, opponent, transcript, baseline);
        else await daemon.stop();
      }
    });
  }
}

describe("transcripts against our daemon", () => {
  playAll("ours", startDaemon);
});

const peer = configuredPeer();
const peerName = peer === undefined ? "a peer (skipped: XENSTORE_PEER_COMMAND is not set)" : peer.command.join(" ");
describe.skipIf(peer === undefined)(`transcripts against ${peerName}`, () => {
  playAll(peer?.kind ?? "c", startPeer);
});

const readme = join(import.meta.dirname, "README.md");
const TABLE = /(<!-- differences: begin -->\n).*(<!-- differences: end -->)/s;

function differencesTable(): string {
  const rows = transcripts.flatMap((transcript) =>
    differencesOf(transcript).map(({ peer: which, text, reason }) => {
      const cells = [
        transcript.file.replace(".transcript", ""),
        transcript.title,
        which.toUpperCase(),
        `\`${text}\``,
        reason,
      ];
      return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
    }),
  );
  return `\n| file | transcript | peer | answers | because |\n| --- | --- | --- | --- | --- |\n${rows.join("")}\n`;
}

describe("README of the transcripts", () => {
  test("its table lists every difference (UPDATE_DIFFERENCES=1 writes it)", () => {
    const text = readFileSync(readme, "utf8");
    expect(text).toMatch(TABLE);
    const wanted = text.replace(TABLE, (_all, begin: string, end: string) => begin + differencesTable() + end);
    if (process.env["UPDATE_DIFFERENCES"] === "1") writeFileSync(readme, wanted);
    else expect(text).toBe(wanted);
  });

  test("titles are unique in a file, so that a failure names one transcript", () => {
    const titles = transcripts.map(({ file, title }) => `${file}: ${title}`);
    expect(new Set(titles).size).toBe(titles.length);
    expect(titles.length).toBeGreaterThan(100);
  });
});

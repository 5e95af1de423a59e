/**
 * The history read by isomorphic-git: a second implementation of Git must find in it what real Git finds.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import git from "isomorphic-git";
import { describe, expect, it } from "vitest";
import { startDaemon } from "../support/daemon-process.js";

describe("the repository", () => {
  it("is read by isomorphic-git as by git: log, tree and values", async () => {
    const daemon = await startDaemon();
    try {
      const client = await daemon.connect();
      for (let index = 0; index < 20; index++) {
        const path = `/local/domain/${String(index % 3)}/key-${String(index)}`;
        await client.call("WRITE", `${path}\0value ${String(index)}`);
      }
      await client.call("CONTROL", "flush\0");
      const gitdir = daemon.repository;
      const commits = await git.log({ fs, dir: gitdir, gitdir, ref: "main" });
      const listed = execFileSync("git", ["-C", gitdir, "log", "--format=%H", "main"], { encoding: "utf8" });
      expect(commits.map(({ oid }) => oid)).toEqual(listed.trim().split("\n"));
      expect(commits.length).toBe(21);
      const { blob } = await git.readBlob({
        fs,
        dir: gitdir,
        gitdir,
        oid: commits[0]?.oid ?? "",
        filepath: "local/domain/1/key-19",
      });
      expect(new TextDecoder().decode(blob)).toBe("value 19");
    } finally {
      await daemon.stop();
    }
  });
});

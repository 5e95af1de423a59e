import { chmodSync, readFileSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { keepToken } from "../../../../daemon/http/token-file.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

let directory: string;
let file: string;

beforeEach(() => {
  directory = temporaryDirectory();
  file = join(directory, "http-token");
});

describe("keepToken", () => {
  test("makes 128 random bits that only the owner can read, and keeps them", () => {
    const token = keepToken(file);
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "latin1")).toBe(`${token}\n`);
    expect(keepToken(file)).toBe(token);
    unlinkSync(file);
    expect(keepToken(file)).not.toBe(token);
  });

  test("replaces one that others can read, one that is none, and what is no file", () => {
    const first = keepToken(file);
    chmodSync(file, 0o640);
    const second = keepToken(file);
    expect(second).not.toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, "guess\n");
    expect(keepToken(file)).toMatch(/^[0-9a-f]{32}$/);
    unlinkSync(file);
    const elsewhere = join(directory, "elsewhere");
    writeFileSync(elsewhere, `${first}\n`, { mode: 0o600 });
    symlinkSync(elsewhere, file);
    expect(keepToken(file)).not.toBe(first);
    expect(readFileSync(elsewhere, "latin1")).toBe(`${first}\n`);
  });

  test("says so where it cannot be written", () => {
    expect(() => keepToken(join(directory, "nowhere", "http-token"))).toThrow(/ENOENT/);
  });
});

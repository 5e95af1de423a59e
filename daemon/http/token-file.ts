/**
 * The file with the token that whoever asks by TCP must have.
 *
 * Owns its making: 128 random bits in hexadecimal, mode 0600. A token that is there stays, so that a page that is open goes on
 * when the daemon is started again; one that others could have read or made, or that is none, is replaced.
 */
import { randomBytes } from "node:crypto";
import { lstatSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

const TOKEN_BYTES = 16;
const TOKEN = /^[0-9a-f]{32}$/;
const OTHERS = 0o077;

/** The token, made where there is none. @throws where the file cannot be written */
export function keepToken(file: string): string {
  return readToken(file) ?? makeToken(file);
}

function readToken(file: string): string | undefined {
  try {
    const status = lstatSync(file);
    const isPrivate = status.isFile() && (status.mode & OTHERS) === 0 && status.uid === process.getuid?.();
    const text = isPrivate ? readFileSync(file, "latin1").trim() : "";
    return TOKEN.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

function makeToken(file: string): string {
  const token = randomBytes(TOKEN_BYTES).toString("hex");
  const fresh = `${file}.new`;
  // What an earlier life left there may have another mode.
  rmSync(fresh, { force: true });
  writeFileSync(fresh, `${token}\n`, { mode: 0o600, flag: "wx" });
  renameSync(fresh, file);
  return token;
}

/**
 * The version of this package, read from its package.json: the same file serves the sources and the built program, which
 * lies one directory deeper.
 */
import { readFileSync } from "node:fs";
import { packageDirectory } from "./package-directory.js";

/** The version, for a module somewhere below the package's directory. */
export function packageVersion(moduleUrl: string): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("package.json", packageDirectory(moduleUrl)), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) return String(manifest.version);
  throw new Error(`the package.json above ${moduleUrl} has no version`);
}

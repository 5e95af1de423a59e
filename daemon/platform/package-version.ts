/**
 * The version of this package, read from its package.json: the same file serves the sources and the built program, which
 * lies one directory deeper.
 */
import { existsSync, readFileSync } from "node:fs";

/** The version, for a module somewhere below the package's directory. */
export function packageVersion(moduleUrl: string): string {
  for (let directory = new URL(".", moduleUrl); ; directory = new URL("..", directory)) {
    const file = new URL("package.json", directory);
    if (existsSync(file)) {
      const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
      if (typeof manifest === "object" && manifest !== null && "version" in manifest) return String(manifest.version);
    }
    if (directory.pathname === "/") throw new Error(`no package.json above ${moduleUrl}`);
  }
}

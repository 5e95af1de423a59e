/**
 * The directory of this package: that of the sources and, one level higher than its modules think, that of the built program.
 */
import { existsSync } from "node:fs";

/** The directory with package.json, for a module somewhere below it. */
export function packageDirectory(moduleUrl: string): URL {
  for (let directory = new URL(".", moduleUrl); ; directory = new URL("..", directory)) {
    if (existsSync(new URL("package.json", directory))) return directory;
    if (directory.pathname === "/") throw new Error(`no package.json above ${moduleUrl}`);
  }
}

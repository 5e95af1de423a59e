/** Which addons are taken for the reactor's native half. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadAddonFile } from "../../../../daemon/server/reactor/addon.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

it("refuses an addon that was built from other sources, as one of an earlier version may be", () => {
  const directory = temporaryDirectory();
  for (const [name, exported] of Object.entries({ none: "{}", old: "{ interface: 1 }" })) {
    const file = join(directory, `${name}.cjs`);
    writeFileSync(file, `module.exports = ${exported};`);
    expect(() => loadAddonFile(file)).toThrow(/built for another version .* "npm rebuild"/);
  }
});

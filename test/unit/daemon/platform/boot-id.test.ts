import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readBootId } from "../../../../daemon/platform/boot-id.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

describe("readBootId", () => {
  it.skipIf(process.platform !== "linux")("tells the same id each time", () => {
    expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/);
    expect(readBootId()).toBe(readBootId());
  });

  it("tells none where the file is missing or holds something else", () => {
    const path = join(temporaryDirectory(), "boot_id");
    expect(readBootId(path)).toBeUndefined();
    for (const text of ["", "0", "unknown\n", "0c1f5b1e-0000-4000-8000-00000000000Z\n"]) {
      writeFileSync(path, text);
      expect(readBootId(path)).toBeUndefined();
    }
    writeFileSync(path, "0c1f5b1e-0000-4000-8000-000000000001\n");
    expect(readBootId(path)).toBe("0c1f5b1e-0000-4000-8000-000000000001");
  });
});

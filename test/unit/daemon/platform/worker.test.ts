import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { startWorker } from "../../../../daemon/platform/worker.js";
import { temporaryDirectory } from "../../../support/temporary-directory.js";

const repository = fileURLToPath(new URL("../../../../", import.meta.url));
const starter = "test/unit/daemon/platform/fixtures/start-echo-worker";
const answer = { data: { from: "a process" }, root: "/" };

function runNode(cwd: string, ...args: string[]): unknown {
  return JSON.parse(execFileSync(process.execPath, args, { cwd, encoding: "utf8" }));
}

describe("startWorker", () => {
  it("starts a .ts module under vitest, named by .js or .ts", async () => {
    for (const extension of ["js", "ts"]) {
      const worker = startWorker(new URL(`./fixtures/echo-worker.${extension}`, import.meta.url), [1, "two"]);
      expect(await once(worker, "message")).toEqual([{ data: [1, "two"], root: "/" }]);
      await worker.terminate();
    }
  });

  it("starts a .ts module under node --import tsx", () => {
    expect(runNode(repository, "--import", "tsx", `${starter}.ts`)).toEqual(answer);
  });

  it("starts a built .js module", () => {
    const directory = temporaryDirectory();
    const options = "--ignoreConfig --rootDir . --module nodenext --target es2023 --types node --skipLibCheck --outDir";
    const sources = [`${starter}.ts`, `${starter.replace("start-", "")}.ts`];
    execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", ...options.split(" "), directory, ...sources], {
      cwd: repository,
    });
    writeFileSync(`${directory}/package.json`, '{"type":"module"}');
    expect(runNode(directory, `${starter}.js`)).toEqual(answer);
  }, 60_000);

  it("reports a module that does not exist as an error of the worker", async () => {
    const worker = startWorker(new URL("./fixtures/no-such-worker.js", import.meta.url), undefined);
    const [error] = (await once(worker, "error")) as [Error];
    expect(error.message).toContain("no-such-worker.js");
  });
});

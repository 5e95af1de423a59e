import { expect, test } from "vitest";
import { makeTag } from "../../../../../daemon/history/query/tag.js";
import { ConflictError } from "../../../../../protocol/http-api/history-queries.js";
import {
  diskWithRepository,
  openRecorder,
  recordAndSeal,
  REPOSITORY,
  walkedOids,
} from "../../../../support/recorded-history.js";

test("makeTag says in words that a disk is full, which is nobody's mistake", () => {
  const memory = diskWithRepository();
  const recorder = openRecorder(memory);
  recordAndSeal(recorder, 1);
  recorder.close();
  const [commit] = walkedOids(memory);
  const full = {
    ...memory,
    open: (): never => {
      throw Object.assign(new Error("ENOSPC: no space left on device, open"), { code: "ENOSPC", errno: -28 });
    },
  };
  if (commit === undefined) throw new Error("nothing was recorded");
  const tag = { repositoryDirectory: REPOSITORY, name: "v1", commit };
  const tagging = (): void => {
    makeTag({ fileSystem: full, ...tag });
  };
  expect(tagging).toThrow(ConflictError);
  expect(tagging).toThrow(/the tag v1 cannot be made now: ENOSPC/);
});

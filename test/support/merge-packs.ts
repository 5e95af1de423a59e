/**
 * The merging of packs, as maintenance does it, for tests of what comes of it.
 */
import { rewritePacks, type RewriteRequest, type RewrittenPack } from "../../daemon/history/recorder/merge-packs.js";
import { removeIfPresent } from "../../daemon/history/repository/durable-file.js";
import { ObjectReader } from "../../daemon/history/repository/object-reader.js";
import { packDirectory, placeWrittenPack, removeKeep } from "../../daemon/history/repository/pack-file.js";
import type { FileSystem } from "../../daemon/platform/file-system.js";

/** Merges packs into one, which takes their place. */
export function mergePacks(fileSystem: FileSystem, repository: string, request: RewriteRequest): RewrittenPack {
  const reader = new ObjectReader(fileSystem, repository);
  const job = rewritePacks({ fileSystem, repositoryDirectory: repository, reader }, request);
  let step = job.next();
  while (step.done !== true) step = job.next();
  reader.close();
  const pack = step.value as RewrittenPack;
  placeWrittenPack(fileSystem, repository, pack);
  removeKeep(fileSystem, repository, pack.name);
  for (const name of request.sources) {
    if (name === pack.name) continue;
    for (const ending of ["idx", "pack"])
      removeIfPresent(fileSystem, `${packDirectory(repository)}/pack-${name}.${ending}`);
  }
  return pack;
}

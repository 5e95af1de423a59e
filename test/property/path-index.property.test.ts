/**
 * With the index of paths, log and blame find what a walk finds, and what the roots say: after any seals, steps, crashes, damage,
 * cuts, and histories that were set back and went on in another way.
 */
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashObject, hexFromOid, type Oid } from "../../daemon/history/object/oid.js";
import { blame } from "../../daemon/history/query/blame.js";
import { openHistory, type History } from "../../daemon/history/query/history.js";
import { IndexedPast } from "../../daemon/history/query/indexed-past.js";
import { walkLog } from "../../daemon/history/query/log.js";
import { HistoryRecorder } from "../../daemon/history/recorder/recorder.js";
import type { FoundCommit } from "../../daemon/history/repository/find-commit.js";
import { MAIN_REF } from "../../daemon/history/repository/layout.js";
import { pathIndexDirectory } from "../../daemon/history/repository/path-index-files.js";
import { RefStore } from "../../daemon/history/repository/ref-store.js";
import { readShallow, updateShallow } from "../../daemon/history/repository/shallow.js";
import type { FileSystem, OpenFile } from "../../daemon/platform/file-system.js";
import { emptyRoot, getNode, type Root } from "../../daemon/store/root.js";
import type { Path, Seq } from "../../protocol/identifiers.js";
import { childPath, joinPath, splitPath } from "../../protocol/path.js";
import { parsePerms, samePerms, type Perms } from "../../protocol/perms.js";
import { createFaultyFileSystem } from "../support/faulty-file-system.js";
import type { MemoryFileSystem } from "../support/memory-file-system.js";
import { diskWithRepository, REPOSITORY } from "../support/recorded-history.js";
import { isLongCampaign, propertyParameters } from "../support/seed.js";
import { arbitraryEdit, commitBetween, editRoot, type Edit } from "./history-generator.js";

const DIRECTORY = pathIndexDirectory({ repositoryDirectory: REPOSITORY, ref: MAIN_REF });
/** So small that a tail is full after a few commits, and four runs come together soon. */
const LIMITS = { postingsMax: 12, pathsMax: 7, tailBytesMax: 600, runBytesMax: 100_000 };

/** Few names, so that nodes are removed and made again; some sort around the slash. */
const names = fc.array(fc.constantFrom("a", "a-", "a0"), { maxLength: 3 });
const perms = fc.constantFrom("n0", "r5").map((text) => parsePerms([text]) as Perms);
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("set" as const), names, value: fc.constantFrom("", "1"), perms }),
  },
  {
    weight: 3,
    arbitrary: fc
      .array(fc.constantFrom("a", "a-"), { minLength: 1, maxLength: 2 })
      .map((removed) => ({ kind: "remove" as const, names: removed })),
  },
  { weight: 1, arbitrary: arbitraryEdit },
);

type Damage = {
  readonly kind: "removed" | "truncated" | "flipped" | "zeroed";
  readonly file: number;
  readonly at: number;
};

type Action =
  | { readonly kind: "commits"; readonly lists: readonly (readonly Edit[])[] }
  | { readonly kind: "steps"; readonly count: number }
  /** The daemon dies, something happens to the files of the index, the daemon starts. */
  | { readonly kind: "crash"; readonly loss: "nothing" | "everything"; readonly damage: Damage | undefined }
  /** The history before a commit is given up. */
  | { readonly kind: "cut"; readonly at: number }
  /** The daemon stops, somebody sets the branch back, the daemon starts. */
  | { readonly kind: "back"; readonly at: number };

const fraction = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });
const damage: fc.Arbitrary<Damage> = fc.record({
  kind: fc.constantFrom("removed", "truncated", "flipped", "zeroed"),
  file: fc.nat(20),
  at: fraction,
});
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commits"),
      lists: fc.array(fc.array(edit, { maxLength: 3 }), { minLength: 1, maxLength: 5 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("steps"), count: fc.integer({ min: 1, max: 100 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("crash"),
      loss: fc.constantFrom("nothing", "everything"),
      damage: fc.option(damage, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut"), at: fraction }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("back"), at: fraction }) },
);

function inflict(fileSystem: FileSystem, { kind, file: number, at }: Damage): void {
  const files = fileSystem.exists(DIRECTORY) ? fileSystem.list(DIRECTORY) : [];
  if (files.length === 0) return;
  const path = `${DIRECTORY}/${files[number % files.length] as string}`;
  if (kind === "removed") {
    fileSystem.remove(path);
    return;
  }
  const file = fileSystem.open(path, "write");
  const place = Math.floor(at * file.size());
  if (kind === "truncated") file.truncate(place);
  else if (kind === "zeroed") file.write(new Uint8Array(Math.min(100, file.size() - place)), place);
  else if (file.size() > 0) {
    const byte = new Uint8Array(1);
    file.read(byte, place);
    file.write(Uint8Array.of((byte[0] as number) ^ 4), place);
  }
  file.close();
}

/** A history, its recorder, and the roots that its commits have. */
class World {
  readonly memory = diskWithRepository();
  recorder: HistoryRecorder;
  /** That after commit 0, 1, 2, … */
  readonly roots: Root[] = [emptyRoot()];
  /** Where the history begins. */
  cut = 1;

  constructor() {
    this.recorder = this.open();
    this.commit([[]]);
  }

  open(fileSystem: FileSystem = this.memory): HistoryRecorder {
    const place = { fileSystem, repositoryDirectory: REPOSITORY, ref: MAIN_REF, hostName: "host" };
    return new HistoryRecorder({ ...place, pathIndexLimits: LIMITS });
  }

  commit(lists: readonly (readonly Edit[])[]): void {
    for (const edits of lists) {
      const seq = this.roots.length as Seq;
      let after = this.roots.at(-1) as Root;
      for (const each of edits) after = editRoot(after, each, seq);
      this.roots.push(after);
    }
    this.recordAll();
    this.recorder.seal();
  }

  /** Records what the recorder does not have. */
  recordAll(): void {
    for (let seq = this.recorder.recordedSeq + 1; seq < this.roots.length; seq++) {
      this.recorder.record(commitBetween(this.roots[seq - 1] as Root, this.roots[seq] as Root, seq));
    }
  }

  /** The daemon starts again and records what it had not recorded. */
  restart(): void {
    this.recorder = this.open();
    this.recordAll();
    this.recorder.seal();
  }

  run(step: Action): void {
    if (step.kind === "commits") this.commit(step.lists);
    else if (step.kind === "steps") {
      for (let count = 0; count < step.count && this.recorder.isIndexIncomplete; count++) this.recorder.repairIndex(1);
    } else if (step.kind === "crash") {
      this.memory.crash(step.loss);
      if (step.damage !== undefined) inflict(this.memory, step.damage);
      this.recorder = this.open();
    } else if (step.kind === "cut") this.cutAt(this.seqAt(step.at));
    else {
      this.recorder.close();
      const seq = this.seqAt(step.at);
      this.roots.length = seq + 1;
      const refs = new RefStore(this.memory, REPOSITORY);
      const to = this.oid(seq);
      refs.update(MAIN_REF, { expected: refs.read(MAIN_REF), to });
      this.recorder = this.open();
    }
  }

  /** A commit that the history has. */
  seqAt(at: number): number {
    return this.cut + Math.floor(at * (this.roots.length - this.cut));
  }

  cutAt(seq: number): void {
    if (seq === this.cut) return;
    const expected = readShallow(this.memory, REPOSITORY);
    updateShallow(this.memory, REPOSITORY, { expected, to: new Set([this.oid(seq)]) });
    this.recorder.noteBeginning(seq as Seq);
    this.cut = seq;
  }

  oid(seq: number): Oid {
    const history = openHistory(this.memory, REPOSITORY);
    const found = history.view().commitWithSeq(MAIN_REF, seq) as FoundCommit;
    history.close();
    return found.oid;
  }

  repair(): void {
    while (this.recorder.isIndexIncomplete) this.recorder.repairIndex(1000);
  }

  check(): void {
    const bare = this.memory.fork();
    if (bare.exists(DIRECTORY)) for (const name of bare.list(DIRECTORY)) bare.remove(`${DIRECTORY}/${name}`);
    const histories = [openHistory(this.memory, REPOSITORY), openHistory(bare, REPOSITORY)];
    const [found, walked] = histories.map((history) => this.answers(history));
    expect(found).toEqual(walked);
    expect(found?.blames).toEqual(this.expectedBlames());
    for (const history of histories) history.close();
  }

  answers(history: History): { readonly logs: unknown[]; readonly blames: unknown[] } {
    const view = history.view();
    const tip = this.roots.length - 1;
    const tos = [tip, Math.ceil((tip + this.cut) / 2)].map((seq) => view.commitWithSeq(MAIN_REF, seq) as FoundCommit);
    const logs = tos.flatMap((to) =>
      PATHS.map((path) => [path, [...walkLog(view, { to }, { path })].map(({ commit }) => commit.trailers.seq)]),
    );
    const blames = tos.flatMap((to) =>
      PATHS.map((path) => [path, blame(view, to, path).map((each) => [each.path, each.commit?.seq])]),
    );
    return { logs, blames };
  }

  expectedBlames(): unknown[] {
    const tip = this.roots.length - 1;
    return [tip, Math.ceil((tip + this.cut) / 2)].flatMap((seq) =>
      PATHS.map((path) => [path, pathsOf(this.roots[seq] as Root, path).map((each) => [each, this.origin(each, seq)])]),
    );
  }

  /** The last commit that changed a node itself; the first of a whole history made what it has. */
  origin(path: Path, from: number): number | undefined {
    for (let seq = from; seq > this.cut; seq--) {
      const was = getNode(this.roots[seq - 1] as Root, path);
      const is = getNode(this.roots[seq] as Root, path);
      if (was === undefined || is === undefined || was.value !== is.value || !samePerms(was.perms, is.perms))
        return seq;
    }
    return this.cut === 1 ? 1 : undefined;
  }
}

const NAMES = ["a", "a-", "a0"];
const PATHS: readonly Path[] = [
  "/" as Path,
  ...NAMES.map((name) => joinPath([name])),
  ...NAMES.map((name) => joinPath(["a", name])),
  joinPath(["a-", "a", "a"]),
  joinPath(["a", "a", "a"]),
  joinPath(["a", "never"]),
];

function pathsOf(root: Root, top: Path): Path[] {
  const paths: Path[] = [];
  const pending = [top];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const node = getNode(root, path);
    if (node === undefined) continue;
    paths.push(path);
    for (const name of node.names) pending.push(childPath(path, name));
  }
  // In the order of xs ls: a node, what is below it, and then its siblings.
  const names = new Map(paths.map((path) => [path, splitPath(path).join("\0")]));
  return paths.sort((left, right) => ((names.get(left) ?? "") < (names.get(right) ?? "") ? -1 : 1));
}

/** The commits that no part of the index tells of. */
function uncovered(memory: MemoryFileSystem, lowest: number): number[] {
  const history = openHistory(memory, REPOSITORY);
  const view = history.view();
  const tip = view.tip(MAIN_REF) as FoundCommit;
  const past = IndexedPast.of(view, tip);
  const seqs: number[] = [];
  for (let seq = tip.commit.trailers.seq as number; seq > lowest; seq--) {
    if (past?.partAt(seq) === undefined) seqs.push(seq);
  }
  history.close();
  return seqs;
}

/** A file system whose process dies before the nth change of the index's files; nothing works any more then. */
function dyingFileSystem(
  inner: FileSystem,
  nth: number,
): { readonly fileSystem: FileSystem; readonly isDead: () => boolean } {
  let left = nth;
  const changes = new Set(["write", "truncate", "rename", "remove", "makeDirectory", "create"]);
  const guard = <T extends object>(target: T, path?: string): T =>
    new Proxy(target, {
      get: (object, name) => {
        const method = Reflect.get(object, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]): unknown => {
          const at = path ?? String(args[0]);
          const isChange = changes.has(name === "open" ? String(args[1]) : String(name));
          if (isChange && at.startsWith(DIRECTORY)) left--;
          if (left <= 0 && name !== "close") throw new Error("the process is dead");
          const result = method.apply(object, args);
          return name === "open" ? guard(result as OpenFile, at) : result;
        };
      },
    });
  return { fileSystem: guard(inner), isDead: () => left <= 0 };
}

/** Edits that give every kind of file something to do. */
const LISTS: readonly (readonly Edit[])[] = Array.from({ length: 26 }, (_, index): Edit[] => {
  const perms = parsePerms(["n0"]) as Perms;
  if (index % 9 === 8) return [{ kind: "remove", names: ["a"] }];
  const path = [["a", "a"], ["a-"], ["a", "a0", "a"]][index % 3] as string[];
  return [{ kind: "set", names: path, value: String(index), perms }];
});

describe("the index of paths", () => {
  it("changes no answer of log and blame, and is whole after its repair (path-index-writer invariants 1 to 3)", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 14 }), (actions) => {
        const world = new World();
        for (const step of actions) {
          world.run(step);
          if (step.kind !== "commits") world.check();
        }
        world.check();
        world.repair();
        world.check();
        // A tail that a crash damaged is made good when the next one begins.
        world.memory.crash("nothing");
        world.recorder = world.open();
        world.commit([[]]);
        world.repair();
        world.check();
        expect(uncovered(world.memory, world.cut)).toEqual([]);
        world.recorder.close();
      }),
      propertyParameters(50),
    );
  });

  it.each([
    ["nothing", "nothing"],
    ["everything that was not synced", "everything"],
    ["some of what was not synced", (what: string) => what.length % 2 === 0],
  ] as const)("survives a crash before any change of its files in which the disk loses %s", (_, loss) => {
    let points = 0;
    // Every point, or in a short campaign every third where the losses make the most of it.
    const stride = loss === "nothing" || isLongCampaign() ? 1 : 3;
    for (let isDone = false; !isDone; points += stride) {
      const world = new World();
      const { fileSystem, isDead } = dyingFileSystem(world.memory, points + 1);
      world.recorder = world.open(fileSystem);
      for (const list of LISTS) {
        try {
          world.commit([list]);
          for (let count = 0; count < 6 && world.recorder.isIndexIncomplete; count++) world.recorder.repairIndex(1);
        } catch (error) {
          if (!isDead()) throw error;
        }
        if (isDead()) break;
      }
      isDone = !isDead();
      world.memory.crash(loss, "any");
      world.restart();
      world.repair();
      world.commit(LISTS.slice(0, 2));
      world.check();
      world.repair();
      // Where the index of seqs has lost a record too, a part that ends there cannot be believed.
      if (typeof loss === "string") expect(uncovered(world.memory, 1)).toEqual([]);
    }
    expect(points).toBeGreaterThan(60);
  });

  it.each([
    ["open", ".tail"],
    ["write", ".tail"],
    ["close", ".tail"],
    ["read", ".tail"],
    ["remove", ".tail"],
    ["open", ".run.new"],
    ["write", ".run.new"],
    ["close", ".run.new"],
    ["rename", ".run"],
    ["open", ".run"],
    ["read", ".run"],
    ["remove", ".run"],
    ["list", "/paths/main"],
    ["makeDirectory", "/paths/main"],
  ] as const)("fails nobody when the disk refuses one %s of …%s, and is whole later", (call, path) => {
    for (const nth of [1, 2, 3, 5, 9]) {
      const world = new World();
      const faulty = createFaultyFileSystem(world.memory);
      faulty.inject({ call, nth, path, error: "EIO" });
      world.recorder = world.open(faulty);
      for (const list of LISTS) {
        world.commit([list]);
        for (let count = 0; count < 6 && world.recorder.isIndexIncomplete; count++) world.recorder.repairIndex(1);
      }
      world.check();
      faulty.heal();
      world.commit(LISTS);
      world.repair();
      world.recorder.close();
      world.recorder = world.open();
      world.repair();
      world.check();
      expect(uncovered(world.memory, 1)).toEqual([]);
    }
  });

  it("answers while the writer merges the runs away that a log has begun to read", () => {
    const world = new World();
    world.commit(LISTS);
    world.repair();
    const history = openHistory(world.memory, REPOSITORY);
    const to = history.view().tip(MAIN_REF) as FoundCommit;
    const expected = [...walkLog(history.view(), { to }, { path: "/a" as Path })];
    expect(expected.length).toBeGreaterThan(8);
    const found: FoundCommit[] = [];
    for (const each of walkLog(history.view(), { to }, { path: "/a" as Path })) {
      found.push(each);
      world.commit(LISTS.slice(0, 8));
      world.repair();
      // Another question makes the index look which files there are.
      walkLog(history.view(), { to }, { path: "/a-" as Path }).next();
    }
    expect(found.map(({ oid }) => oid)).toEqual(expected.map(({ oid }) => oid));
    history.close();
  });

  it("is not believed for another history with the same seqs", () => {
    const world = new World();
    world.commit(LISTS);
    world.repair();
    const other = new World();
    // The older commits touch what the first history never did, the newer ones nothing.
    const perms = parsePerms(["n0"]) as Perms;
    other.commit(
      LISTS.map((_, index) => (index < 9 ? [{ kind: "set", names: ["a0"], value: String(index), perms }] : [])),
    );
    for (const name of world.memory.list(DIRECTORY)) {
      if (other.memory.exists(`${DIRECTORY}/${name}`)) other.memory.remove(`${DIRECTORY}/${name}`);
      const copy = other.memory.open(`${DIRECTORY}/${name}`, "create");
      copy.write(world.memory.readFile(`${DIRECTORY}/${name}`), 0);
      copy.close();
    }
    other.check();
    other.restart();
    other.repair();
    other.check();
    other.commit([[]]);
    other.repair();
    expect(uncovered(other.memory, 1)).toEqual([]);
  });

  it("is not believed for another branch", () => {
    const world = new World();
    world.commit(LISTS);
    world.repair();
    // It comes before main in the list of refs, and its commits touch nothing.
    const place = { fileSystem: world.memory, repositoryDirectory: REPOSITORY, ref: "refs/heads/another" };
    const another = new HistoryRecorder({ ...place, hostName: "host", pathIndexLimits: LIMITS });
    for (let seq = 1; seq < world.roots.length; seq++) another.record(commitBetween(emptyRoot(), emptyRoot(), seq));
    another.seal();
    another.close();
    world.check();
  });

  it("is of use below the commits of somebody else", () => {
    const world = new World();
    world.commit(LISTS);
    world.repair();
    const history = openHistory(world.memory, REPOSITORY);
    const tip = history.view().tip(MAIN_REF) as FoundCommit;
    const [tree, parent] = [hexFromOid(tip.commit.tree), hexFromOid(tip.oid)];
    const author = "somebody <somebody@example.org> 1780000000 +0000";
    const text = `tree ${tree}\nparent ${parent}\nauthor ${author}\ncommitter ${author}\n\nNothing\n`;
    const oid = hashObject("commit", text);
    const hex = hexFromOid(oid);
    const folder = `${REPOSITORY}/objects/${hex.slice(0, 2)}`;
    world.memory.makeDirectory(folder);
    const file = world.memory.open(`${folder}/${hex.slice(2)}`, "create");
    file.write(deflateSync(Buffer.from(`commit ${String(text.length)}\0${text}`)), 0);
    file.close();
    new RefStore(world.memory, REPOSITORY).update(MAIN_REF, { expected: tip.oid, to: oid });
    const view = history.view();
    const to = view.tip(MAIN_REF) as FoundCommit;
    expect(to.commit.trailers.seq).toBeUndefined();
    const path = "/a" as Path;
    const below = [...walkLog(view, { to: tip }, { path })].map((each) => each.oid);
    expect(below.length).toBeGreaterThan(8);
    expect([...walkLog(view, { to }, { path })].map((each) => each.oid)).toEqual(below);
    expect(blame(view, to, path)).toEqual(blame(view, tip, path));
    history.close();
  });
});

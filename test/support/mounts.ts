/**
 * File systems of their own, for tests of disks that are full, turn read-only or lose power.
 *
 * Owns mounting and unmounting, which root alone may do, and many containers do not let even root do: tests ask first.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";

function succeeds(program: string, words: readonly string[]): boolean {
  try {
    execFileSync(program, words, { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

/** Also when something in there is in use, which a test that fails may leave so: then it goes when that ends. */
function unmount(directory: string): void {
  if (!succeeds("umount", [directory])) execFileSync("umount", ["--lazy", directory]);
}

/** Whether a tmpfs can be mounted; `directory` is an empty one to try it on. */
export function canMountMemory(directory: string): boolean {
  if (!succeeds("mount", ["-t", "tmpfs", "-o", "size=64k", "none", directory])) return false;
  execFileSync("umount", [directory]);
  return true;
}

/** Calls `use` while a tmpfs of so many bytes is mounted on a directory. */
export async function withMemoryMounted<T>(
  { directory, bytes }: { readonly directory: string; readonly bytes: number },
  use: () => Promise<T>,
): Promise<T> {
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${String(bytes)},mode=0700`, "none", directory]);
  try {
    return await use();
  } finally {
    unmount(directory);
  }
}

/** Whether an image can be mounted through a loop device; `directory` is an empty one to try it in. */
export function canMountImages(directory: string): boolean {
  try {
    const image = `${directory}/image`;
    makeImage(image);
    const point = `${directory}/point`;
    mkdirSync(point);
    execFileSync("mount", ["-o", "loop", image, point], { stdio: "pipe" });
    execFileSync("umount", [point]);
    rmSync(image);
    return true;
  } catch {
    return false;
  }
}

/** Makes an image of an empty ext4. */
export function makeImage(path: string, mebibytes = 64): void {
  writeFileSync(path, "");
  truncateSync(path, mebibytes * 1024 * 1024);
  execFileSync("mkfs.ext4", ["-q", path], { stdio: "pipe" });
}

/** A mounted image. */
export interface MountedImage {
  /** Makes the kernel find an error in it, after which it is read-only (`errors=remount-ro`). */
  turnReadOnly(): void;
}

/** Calls `use` while an image is mounted on a directory, which is made if it is missing. */
export async function withImageMounted<T>(
  { image, directory }: { readonly image: string; readonly directory: string },
  use: (mounted: MountedImage) => Promise<T>,
): Promise<T> {
  mkdirSync(directory, { recursive: true });
  execFileSync("mount", ["-o", "loop,errors=remount-ro", image, directory]);
  try {
    return await use({
      turnReadOnly: () => {
        const mount = readFileSync("/proc/mounts", "utf8")
          .split("\n")
          .find((line) => line.split(" ")[1] === directory);
        const device = mount?.split(" ")[0]?.split("/").at(-1) ?? "";
        writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, "1");
      },
    });
  } finally {
    unmount(directory);
  }
}

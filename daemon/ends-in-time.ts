/**
 * Waiting for an end, and not for ever.
 */

/** Resolves to whether something ended in time; rejects when it fails before. Nothing to wait for has ended. */
export async function endsInTime(end: Promise<void> | undefined, millisecondsMax: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => {
      resolve(false);
    }, millisecondsMax);
  });
  try {
    return await Promise.race([Promise.resolve(end).then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

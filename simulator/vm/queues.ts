/**
 * The queues of a device: rings of their own for each processor (`io/blkif.h` and `io/netif.h` of Xen).
 *
 * Owns how many there are and where their nodes stand. The backend says how many it would serve
 * (`multi-queue-max-queues`); the frontend takes no more than the guest has processors, and says how many it took
 * (`multi-queue-num-queues`). The nodes of a single queue stand in the device's own directory, as before there were queues:
 *
 *     1 queue:   device/vbd/51712/ring-ref
 *     2 queues:  device/vbd/51712/queue-0/ring-ref, device/vbd/51712/queue-1/ring-ref
 */

/** What dom0's drivers offer: a queue for each of dom0's processors. */
export const QUEUES_OFFERED = 4;

/** How many queues a node's value says; one when it says nothing. */
export function parseQueues(value: string | undefined): number {
  const queues = Number(value);
  return Number.isInteger(queues) && queues > 0 ? queues : 1;
}

/** The directories of a frontend's queues. */
export function queuePaths(frontend: string, queues: number): readonly string[] {
  if (queues === 1) return [frontend];
  return Array.from({ length: queues }, (_, queue) => `${frontend}/queue-${String(queue)}`);
}

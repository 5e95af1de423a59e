/**
 * Lists of what came one after the other, merged from their ends.
 *
 * Owns the heap. What is not asked for is not looked at, so that the newest few of many cost little.
 */

/** What has a place in an order over all lists. */
export interface Ordered {
  readonly lastId: number;
}

interface Head<Item> {
  readonly list: readonly Item[];
  readonly at: number;
  readonly item: Item;
}

/**
 * The items of all lists, newest first.
 *
 * @param lists - each with ascending `lastId`; they stay as they are meanwhile
 * @param before - only items with a smaller `lastId`
 */
export function* newestFirst<Item extends Ordered>(
  lists: Iterable<readonly Item[]>,
  before: number,
): Generator<Item, undefined> {
  const heads: Head<Item>[] = [];
  for (const list of lists) {
    const head = headAt(list, countBefore(list, before) - 1);
    if (head !== undefined) heads.push(head);
  }
  for (let place = (heads.length >> 1) - 1; place >= 0; place--) sink(heads, place);
  for (;;) {
    const [newest] = heads;
    if (newest === undefined) return undefined;
    yield newest.item;
    const next = headAt(newest.list, newest.at - 1) ?? heads.pop();
    if (next === undefined || heads.length === 0) return undefined;
    heads[0] = next;
    sink(heads, 0);
  }
}

function headAt<Item>(list: readonly Item[], at: number): Head<Item> | undefined {
  const item = list[at];
  return item === undefined ? undefined : { list, at, item };
}

function countBefore(list: readonly Ordered[], before: number): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle]?.lastId ?? Infinity) < before) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Moves a head down until none below it is newer. */
function sink<Item extends Ordered>(heads: Head<Item>[], start: number): void {
  const moved = heads[start];
  if (moved === undefined) return;
  let place = start;
  for (;;) {
    let child = 2 * place + 1;
    if (isNewer(heads[child + 1], heads[child])) child++;
    const newer = heads[child];
    if (newer === undefined || !isNewer(newer, moved)) break;
    heads[place] = newer;
    place = child;
  }
  heads[place] = moved;
}

function isNewer(left: Head<Ordered> | undefined, right: Head<Ordered> | undefined): boolean {
  return left !== undefined && left.item.lastId > (right?.item.lastId ?? 0);
}

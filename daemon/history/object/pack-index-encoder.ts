/**
 * The index of a pack: which object stands where in it.
 *
 * Owns the encoding (gitformat-pack(5), "Version 2 pack-*.idx files"). Everything in the index
 * is a big-endian word at a place that is a multiple of four; the words come ready-made, so that writing one is one store
 * and not four.
 */
import { Buffer } from "node:buffer";
import { compareOids, hashBytes, OID_BYTES } from "./oid.js";

const OID_WORDS = OID_BYTES / 4;
const FAN_OUT = 256;
const INDEX_MAGIC = 0xff744f63;
const HEADER_BYTES = 8;

/** What an index is made of: for each entry, in the order of the pack, its oid, CRC and place. */
export interface IndexedEntries {
  readonly count: number;
  /** The oids' bytes one after the other. */
  readonly oidWords: Int32Array;
  /** CRC-32 of each entry, as `bigEndian` words. */
  readonly checksums: Int32Array;
  /** Where each entry begins, as `bigEndian` words. */
  readonly offsets: Int32Array;
}

/** The word whose bytes in memory are the number's, highest first. */
export function bigEndian(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

/** Encodes the index; `packChecksum` is the 20 bytes that end the pack. */
export function encodePackIndex(entries: IndexedEntries, packChecksum: Uint8Array): Uint8Array {
  const { count, oidWords, checksums, offsets } = entries;
  const order = sortedByOid(oidWords, count);
  const checksumsAt = (HEADER_BYTES + FAN_OUT * 4 + count * OID_BYTES) / 4;
  const offsetsAt = checksumsAt + count;
  const trailerAt = (offsetsAt + count) * 4;
  const index = Buffer.allocUnsafeSlow(trailerAt + 2 * OID_BYTES);
  const words = new Int32Array(index.buffer);
  words[0] = bigEndian(INDEX_MAGIC);
  words[1] = bigEndian(2);
  const fanOut = new Uint32Array(FAN_OUT);
  const oidBytes = new Uint8Array(oidWords.buffer);
  for (let position = 0, oidAt = HEADER_BYTES / 4 + FAN_OUT; position < count; position++, oidAt += OID_WORDS) {
    const entry = order[position] as number;
    const from = entry * OID_WORDS;
    for (let word = 0; word < OID_WORDS; word++) words[oidAt + word] = oidWords[from + word] as number;
    words[checksumsAt + position] = checksums[entry] as number;
    words[offsetsAt + position] = offsets[entry] as number;
    const first = oidBytes[from * 4] as number;
    fanOut[first] = (fanOut[first] as number) + 1;
  }
  for (let first = 0, before = 0; first < FAN_OUT; first++) {
    before += fanOut[first] as number;
    words[HEADER_BYTES / 4 + first] = bigEndian(before);
  }
  index.set(packChecksum, trailerAt);
  const indexChecksum = hashBytes(index.subarray(0, trailerAt + OID_BYTES));
  index.write(indexChecksum, trailerAt + OID_BYTES, OID_BYTES, "latin1");
  return index;
}

/** Buckets by the first two bytes; a small pack has fewer, since filling them is all that it costs. */
const BUCKETS_MAX = 0x10000;

/** The entries sorted by oid: into buckets by its first bits, which nearly sorts them, then by insertion. */
function sortedByOid(oidWords: Int32Array, count: number): Uint32Array {
  const oids = new Uint8Array(oidWords.buffer);
  const shift = count < BUCKETS_MAX / 16 ? 8 : 0;
  const buckets = BUCKETS_MAX >>> shift;
  const bucketOf = (entry: number): number =>
    (((oids[entry * OID_BYTES] as number) << 8) | (oids[entry * OID_BYTES + 1] as number)) >>> shift;
  const places = new Uint32Array(buckets + 1);
  for (let entry = 0; entry < count; entry++) {
    const after = bucketOf(entry) + 1;
    places[after] = (places[after] as number) + 1;
  }
  for (let bucket = 1; bucket < buckets; bucket++) {
    places[bucket] = (places[bucket] as number) + (places[bucket - 1] as number);
  }
  const order = new Uint32Array(count);
  for (let entry = 0; entry < count; entry++) {
    const bucket = bucketOf(entry);
    const place = places[bucket] as number;
    order[place] = entry;
    places[bucket] = place + 1;
  }
  for (let index = 1; index < count; index++) {
    const entry = order[index] as number;
    let place = index;
    while (place > 0 && compareOids(oids, (order[place - 1] as number) * OID_BYTES, oids, entry * OID_BYTES) > 0) {
      order[place] = order[place - 1] as number;
      place--;
    }
    order[place] = entry;
  }
  return order;
}

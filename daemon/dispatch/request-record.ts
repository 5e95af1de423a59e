/**
 * Request records: what history tells of the requests behind a commit.
 */
import type { ByteString } from "../../protocol/bytes.js";
import { serializePerms } from "../../protocol/perms.js";
import { DETAIL_BYTES_MAX, REQUEST_RECORDS_MAX, type RequestRecord } from "../store/commit.js";
import type { Transaction } from "../store/transaction.js";
import { isMutating, type TreeRequest } from "../store/tree-request.js";

/** The record of a request that is not on the tree. */
export function requestRecord(operation: RequestRecord["operation"], subject: ByteString, detail = ""): RequestRecord {
  return { operation, subject, detail: detail.slice(0, DETAIL_BYTES_MAX), detailBytes: detail.length };
}

/** The record of a request on the tree. */
export function treeRequestRecord(request: TreeRequest): RequestRecord {
  switch (request.operation) {
    case "WRITE":
      return requestRecord("WRITE", request.path, request.value);
    case "SET_PERMS":
      return requestRecord("SET_PERMS", request.path, serializePerms(request.perms));
    case "READ":
    case "DIRECTORY":
    case "DIRECTORY_PART":
    case "GET_PERMS":
    case "MKDIR":
    case "RM":
      return requestRecord(request.operation, request.path);
  }
}

/** The records of a transaction's successful mutating requests, and how many more there were. */
export function transactionRecords(transaction: Transaction): {
  readonly requests: RequestRecord[];
  readonly requestsOmitted: number;
} {
  const requests: RequestRecord[] = [];
  let requestsOmitted = 0;
  for (const { request, reply } of transaction.log) {
    if (!isMutating(request) || reply.kind === "error") continue;
    if (requests.length < REQUEST_RECORDS_MAX) requests.push(treeRequestRecord(request));
    else requestsOmitted++;
  }
  return { requests, requestsOmitted };
}

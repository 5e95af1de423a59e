import { describe, expect, test } from "vitest";
import { parseQueues, queuePaths } from "../../../../simulator/vm/queues.js";

describe("parseQueues", () => {
  test("reads a count, and one from what is none", () => {
    const values = ["4", "1", "0", "-1", "1.5", "", "many", undefined];
    expect(values.map(parseQueues)).toEqual([4, 1, 1, 1, 1, 1, 1, 1]);
  });
});

describe("queuePaths", () => {
  test("names the device's own directory for one queue, and one below it for each of several", () => {
    expect(queuePaths("device/vif/0", 1)).toEqual(["device/vif/0"]);
    expect(queuePaths("device/vif/0", 2)).toEqual(["device/vif/0/queue-0", "device/vif/0/queue-1"]);
  });
});

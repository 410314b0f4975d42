import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs, retryMs } from "../src/backoff.js";

test("waits grow, stay within bounds, and are spread", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const wait = backoffMs(failures, random);
      expect(wait).toBeGreaterThanOrEqual(100);
      expect(wait).toBeLessThanOrEqual(15_000);
      expect(backoffMs(failures + 1, random)).toBeGreaterThanOrEqual(wait);
    }),
  );
  expect(new Set([0, 0.25, 0.5, 1].map((random) => backoffMs(5, random))).size).toBe(4);
});

test("never earlier than the server asks", () => {
  fc.assert(
    fc.property(fc.nat(600_000), fc.double({ min: 0, max: 1, noNaN: true }), (asked, random) => {
      const wait = retryMs(asked, 3, random);
      expect(wait).toBeGreaterThanOrEqual(asked);
      expect(wait).toBeLessThanOrEqual(asked * 1.1 + 1);
    }),
  );
  expect(retryMs(null, 3, 0.5)).toBe(backoffMs(3, 0.5));
});

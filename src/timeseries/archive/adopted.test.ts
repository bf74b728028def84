import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createAdopted } from "./adopted.ts";

test("days that came back are added up again once a series is known for a meter, also if it was unavailable first", async () => {
  const changed: (readonly number[])[] = [];
  const adopted = createAdopted((days) => changed.push(days));
  for (const series of [1, 2, 3]) adopted.learned(series);
  adopted.add([7, 8]);
  assert.deepEqual(changed.splice(0), [[7, 8]]);
  // Unavailable, without attributes, and a thermometer.
  for (const series of [1, 2, 3]) adopted.described(series, false);
  await turn();
  assert.deepEqual(changed, []);
  for (const series of [1, 2]) adopted.described(series, true);
  await turn();
  assert.deepEqual(changed.splice(0), [[7, 8]]);
  // Told again, as its unit changes.
  adopted.described(1, true);
  await turn();
  assert.deepEqual(changed, []);
});

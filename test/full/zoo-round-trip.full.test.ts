import { test } from 'vitest';

import { sharedData } from '../helpers/shared-data.ts';
import { expectRaised, expectRoundTrip } from '../workers/onnx/zoo-round-trip.ts';

const zoo = sharedData()?.zoo() ?? [];

test.skipIf(zoo.length === 0).for(zoo.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same bits after reading and writing',
  { timeout: 300_000 },
  ([, entry]) => expectRoundTrip(entry),
);

test.skipIf(zoo.length === 0).for(zoo.map((m) => [m.name, m] as const))(
  'zoo %s: raised to the canonical opset, it computes the same',
  { timeout: 300_000 },
  ([, entry]) => expectRaised(entry),
);

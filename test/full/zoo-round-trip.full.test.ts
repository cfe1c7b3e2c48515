import { test } from 'vitest';

import { sharedData } from '../helpers/shared-data.ts';
import { expectRoundTrip } from '../workers/onnx/zoo-round-trip.ts';

const zoo = sharedData()?.zoo() ?? [];

test.skipIf(zoo.length === 0).for(zoo.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same bits after reading and writing',
  { timeout: 300_000 },
  ([, entry]) => expectRoundTrip(entry),
);

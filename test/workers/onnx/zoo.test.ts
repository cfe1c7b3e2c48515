import { test } from 'vitest';

import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';
import { expectRoundTrip } from './zoo-round-trip.ts';

const small = (sharedData()?.zoo() ?? []).filter((m) => m.raw_bytes <= 50e6);
if (small.length === 0) console.warn(`skipped: ${NO_SHARED_DATA}`);

test.skipIf(small.length === 0).for(small.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same bits after reading and writing',
  ([, entry]) => expectRoundTrip(entry),
);

import { test } from 'vitest';

import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';
import { expectRaised, expectRoundTrip } from './zoo-round-trip.ts';

const small = (sharedData()?.zoo() ?? []).filter((m) => m.raw_bytes <= 50e6);
if (small.length === 0) test.skip(`zoo: ${NO_SHARED_DATA}`, () => {});

test.skipIf(small.length === 0).for(small.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same bits after reading and writing',
  ([, entry]) => expectRoundTrip(entry),
);

/** The smallest graph of each opset. */
const perOpset = Map.groupBy(
  small.toSorted((a, b) => a.raw_bytes - b.raw_bytes),
  (m) => m.opset['ai.onnx'],
);

test.skipIf(small.length === 0).for([...perOpset].map(([opset, [m]]) => [opset, m!] as const))(
  'zoo, opset %i: raised, it computes the same',
  ([, entry]) => expectRaised(entry),
);

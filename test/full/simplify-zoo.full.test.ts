import { test } from 'vitest';

import { NO_SHARED_DATA, sharedData } from '../helpers/shared-data.ts';
import { expectSimplified } from '../workers/passes/zoo-simplify.ts';

const large = (sharedData()?.zoo() ?? []).filter((m) => m.raw_bytes > 50e6);
if (large.length === 0) console.warn(`skipped: ${NO_SHARED_DATA}`);

test.skipIf(large.length === 0).for(large.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same in no more nodes and bytes',
  async ([, entry]) => {
    await expectSimplified(entry);
  },
);

/** @file A process that reads spoiled files, and tells how far it has come: so that it may hang or die. */

import { ServiceError } from '../../src/contract/errors.ts';
import { mutated } from './mutate.ts';
import { TARGETS, type Target, type TargetName } from './targets.ts';

const [name, from = '0', to = '0'] = process.argv.slice(2);
const target: Target = TARGETS[name as TargetName];
const seeds = await target.seeds();
let refused = 0;
for (let number = Number(from); number < Number(to); number++) {
  if (number % 64 === 0) process.send!({ at: number, rss: process.memoryUsage.rss() });
  try {
    await target.read(mutated(seeds, number));
  } catch (error) {
    refused += 1;
    if (!(error instanceof ServiceError))
      process.send!({ at: number, finding: String((error as Error).stack).slice(0, 600) });
  }
}
process.send!({ at: Number(to), refused, rss: process.memoryUsage.rss() }, () => process.exit(0));

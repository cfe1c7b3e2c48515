/**
 * @file Run by providers.ts in a process of its own: `node provider-probe.ts PROVIDER`. Prints one JSON document. A provider
 * may crash, hang or compute wrongly without an error; this process may.
 */

import { compareParts } from './parts.ts';
import { probeCases } from './probe-graphs.ts';
import { type HostTensor, openSession } from './session.ts';

/** Providers round differently (TF32, other sums); a wrong kernel is far outside. */
const TOLERANCE = 5e-3;

async function answer(provider: string): Promise<Record<string, HostTensor>> {
  const answers: Record<string, HostTensor> = {};
  for (const { name, model, feeds } of probeCases()) {
    const session = await openSession(model, { provider });
    const outputs = await session.run(feeds);
    for (const [output, tensor] of Object.entries(outputs)) answers[`${name}/${output}`] = tensor;
    await session.release();
  }
  return answers;
}

async function probe(provider: string): Promise<object> {
  const expected = await answer('cpu');
  let found: Record<string, HostTensor>;
  try {
    found = await answer(provider);
  } catch (error) {
    return { ok: false, code: 'PROVIDER_UNAVAILABLE', why: (error as Error).message };
  }
  for (const [name, tensor] of Object.entries(expected)) {
    const { error } = compareParts(tensor, found[name]!);
    if (!(error <= TOLERANCE))
      return { ok: false, code: 'PROVIDER_WRONG', why: `probe '${name}' differs by ${error}` };
  }
  return { ok: true };
}

console.log(JSON.stringify(await probe(process.argv[2] ?? 'cpu')));

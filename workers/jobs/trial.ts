/** @file One inference before anything else: a model that crashes or never ends is found out here. */

import { randomInputs } from '../runtime/random-inputs.ts';
import { openSession } from '../runtime/session.ts';
import type { TaskBinding } from '../tasks/task.ts';
import { fixInput } from './measure.ts';
import type { ModelFile } from './model-file.ts';

/** @throws MODEL_CANNOT_RUN with the runtime's own words */
export async function tryModel(
  file: ModelFile,
  binding: TaskBinding,
  options: { readonly threads: number; readonly provider: string },
): Promise<void> {
  const model = file.read();
  fixInput(model, binding);
  const session = await openSession(file.bytes, options);
  try {
    await session.run(randomInputs(model, 0));
  } finally {
    await session.release();
  }
}

import { expect, test } from 'vitest';
import { finetune, lengthOf } from '../../../workers/stages/finetune.ts';
import { prune } from '../../../workers/stages/prune.ts';
import { tinyModel } from '../job/tiny.ts';

type Options = Parameters<typeof lengthOf>[0];

const LENGTHS = [
  [{}, { epochs: 10 }],
  [{ epochs: 0.5 }, { epochs: 0.5 }],
  [{ steps: 3 }, { steps: 3 }],
  [{ minutes: 2 }, { minutes: 2 }],
] as const;

test.each(LENGTHS)('%j is a run of %j', (options, length) => {
  expect(lengthOf(options as Options)).toEqual(length);
});

const CONFLICTS = [
  ['finetune', finetune, { steps: 3, epochs: 1 }, ['epochs', 'steps']],
  ['prune', prune, { finetune: { minutes: 1, steps: 3 } }, ['steps', 'minutes']],
] as const;

test.each(CONFLICTS)('%s: two lengths are refused before any work', (_, stage, options, named) => {
  expect(() => stage.prepare!(tinyModel(), options)).toThrow(
    expect.objectContaining({
      code: 'OPTIONS_CONFLICT',
      facts: expect.objectContaining({ options: named }),
    }),
  );
});

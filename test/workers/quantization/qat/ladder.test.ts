/** @file Steps in turn: where they end, which model is kept, what is said of it. */

import { expect, test } from 'vitest';

import { emptyModel, type Model, Value } from '../../../../workers/onnx/graph.ts';
import { Tensor } from '../../../../workers/onnx/tensor.ts';
import { floatsOf } from '../../../../workers/onnx/values.ts';
import { climb, whyOf } from '../../../../workers/quantization/qat/ladder.ts';

const NAMES = ['ptq', 'adaround', 'qat'] as const;
type Name = (typeof NAMES)[number];

/** A model of one number: its agreement. */
function model(): Model {
  const made = emptyModel(10, 21);
  made.graph.initializers = [new Value('x', undefined, Tensor.float32([], [0]))];
  return made;
}

async function climbed(
  agreements: Readonly<Record<Name, number>>,
  { minAgreement = 0.99, untilHeld = true, signal = new AbortController().signal } = {},
) {
  const it = model();
  const x = it.graph.initializers[0]!;
  const told: unknown[] = [];
  const starts: number[] = [];
  const of = () => floatsOf(x.constant!)[0]!;
  const result = await climb<Name>(it, NAMES, {
    budget: { minAgreement },
    judge: async () => ({ agreement: of(), drop: null }),
    signal,
    untilHeld,
    doing: async (step) => {
      starts.push(of());
      x.constant = Tensor.float32([], [agreements[step]]);
    },
    metric: ({ step }) => void told.push(step),
  });
  return { ...result, told, starts, ends: of(), why: whyOf(result, { minAgreement }, NAMES) };
}

const near = (x: number) => expect.closeTo(x, 6);

test.each([
  ['the first holds', [0.995, 1, 1], ['ptq'], 'ptq', /holds after ptq .*no further step/],
  ['the second holds', [0.98, 0.99, 1], ['ptq', 'adaround'], 'adaround', /holds after adaround/],
  ['the last holds', [0.9, 0.95, 0.991], NAMES, 'qat', /holds with qat \(agreement 0\.9910/],
  ['none holds', [0.9, 0.95, 0.96], NAMES, 'qat', /holds after none .*: qat is the closest/],
  ['none is better', [0.9, 0.95, 0.93], NAMES, 'adaround', /; qat is no better \(agreement 0\.93/],
] as const)('%s', async (_, [ptq, adaround, qat], steps, kept, why) => {
  const result = await climbed({ ptq, adaround, qat });
  expect(result.told).toEqual([...steps]);
  expect(result.steps.map((s) => s.step)).toEqual([...steps]);
  expect(result.kept.step).toBe(kept);
  expect(result.ends).toEqual(near({ ptq, adaround, qat }[kept]));
  expect(result.why).toMatch(why);
});

test('each step starts from the best so far', async () => {
  const { starts } = await climbed({ ptq: 0.9, adaround: 0.8, qat: 0.95 });
  expect(starts).toEqual([0, near(0.9), near(0.9)]);
});

test('all steps are taken where that is asked', async () => {
  const { told } = await climbed({ ptq: 0.999, adaround: 1, qat: 0.5 }, { untilHeld: false });
  expect(told).toEqual([...NAMES]);
});

test('nothing is begun once the job is cancelled', async () => {
  await expect(
    climbed({ ptq: 1, adaround: 1, qat: 1 }, { signal: AbortSignal.abort(new Error('stop')) }),
  ).rejects.toThrow('stop');
});

/** @file What the float model says: nothing is lost where both say the same, more the further apart they are. */

import { expect, test } from 'vitest';

import { GraphBuilder } from '../../../../workers/onnx/builder.ts';
import { type Model, Value } from '../../../../workers/onnx/graph.ts';
import { floatSignals } from '../../../../workers/quantization/qat/float-signals.ts';
import { randomInputs } from '../../../../workers/runtime/random-inputs.ts';
import { openSession } from '../../../../workers/runtime/session.ts';
import { withOutputs } from '../../../../workers/runtime/taps.ts';
import { bindTask } from '../../../../workers/tasks/registry.ts';
import { canonical } from '../../../../workers/training/canonical.ts';
import { yolov8 } from '../../../helpers/head-models.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';
import { classifier } from './classifier.ts';

const generic = (): Model =>
  modelOf(
    `(float[1,3,16,16] x, float[4,3,3,3] W) => (float[1,4,14,14] y) { c = Conv(x, W) y = Tanh(c) }`,
    { W: randomWeight([4, 3, 3, 3], 1) },
    { task: 'generic' },
  );

const MODELS = {
  'class logits and box distributions': yolov8,
  'class logits': classifier,
  'last layers': generic,
};

/** The loss where the float model says what this one does, plus `apart` times a wave. */
async function lossAt(model: Model, aparts: readonly number[]) {
  const form = await canonical(model);
  const signals = floatSignals(form.graph, bindTask(form));
  const g = new GraphBuilder(form.graph);
  const names = signals.reads.map((v) => v.name);
  const feed = randomInputs(form, 1);
  const own = await openSession(withOutputs(form, names));
  const said = await own.run(feed);
  const teacher = signals.reads.map((v) => new Value(`float/${v.name}`, v.type));
  form.graph.inputs.push(...teacher);
  form.graph.outputs = [signals.build(g, teacher, 1)];
  const session = await openSession(form);
  const losses: number[] = [];
  for (const apart of aparts) {
    const told = names.map((name) => {
      const { dims, data } = said[name]!;
      const moved = (data as Float32Array).map((x, i) => x + apart * Math.sin(i));
      return [`float/${name}`, { dims, data: moved }] as const;
    });
    const results = await session.run({ ...feed, ...Object.fromEntries(told) });
    losses.push(Number(Object.values(results)[0]!.data[0]));
  }
  return { name: signals.name, losses };
}

test.each(Object.entries(MODELS))('%s', async (expected, make) => {
  const { name, losses } = await lossAt(make(), [0, 0.1, 0.5]);
  expect(name).toBe(expected);
  const [same, near, far] = losses as [number, number, number];
  expect(Math.abs(same)).toBeLessThan(1e-5);
  expect(near).toBeGreaterThan(1e-4);
  expect(far).toBeGreaterThan(4 * near);
});

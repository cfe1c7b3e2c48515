/** @file Distillation losses against independent numbers: values, gradients of student and adapter. */

import { expect, test } from 'vitest';

import { backward } from '../../../workers/autodiff/backward.ts';
import { SIGNALS, type SignalName } from '../../../workers/distillation/signals/registry.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { emptyModel, Value } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { NO_SHARED_DATA, oracleCases } from '../../helpers/shared-data.ts';

interface Plain {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

interface Case {
  readonly family: string;
  readonly temperature?: number;
  readonly tau?: number;
  readonly beta?: number;
  readonly student: Readonly<Record<string, Plain>>;
  readonly teacher: Plain;
  readonly location_weight?: Plain;
  readonly loss: number;
  readonly grads: Readonly<Record<string, Plain>>;
  readonly tolerance: Readonly<Record<'loss_rel' | 'grad_rel_of_max' | 'grad_abs', number>>;
}

/** The signal of each family of cases; `output` has two. */
const BY_FAMILY: Readonly<Record<string, SignalName>> = {
  kl: 'logit-kl',
  bce: 'logit-bce',
  dfl: 'box-distribution',
  cwd: 'channel-wise',
  zscore_mse: 'standardized-mse',
  attention: 'attention-map',
  feature_mse: 'feature-mse',
  output_mse: 'output-mse',
  output_smooth_l1: 'output-smooth-l1',
};

const cases = oracleCases('distillation')
  .filter(({ data }) => data['family'] !== 'weighting')
  .map(({ name, data }) => [name, data as unknown as Case] as const);
if (cases.length === 0) test.skip(`distillation: ${NO_SHARED_DATA}`, () => {});

test.each(cases)('signal %s', async (name, c) => {
  const { loss, gradients } = await run(BY_FAMILY[c.family === 'output' ? name : c.family]!, c);
  const { loss_rel, grad_rel_of_max, grad_abs } = c.tolerance;
  expect(Math.abs(loss - c.loss), `loss ${loss}, not ${c.loss}`).toBeLessThanOrEqual(
    loss_rel * Math.abs(c.loss),
  );
  for (const [of, { data }] of Object.entries(c.grads)) {
    const most = Math.max(...Array.from(data, Math.abs));
    expect(gradients[of]!.length).toBe(data.length);
    for (const [i, x] of data.entries())
      expect(
        Math.abs(gradients[of]![i]! - x),
        `d${of} at ${i}: ${gradients[of]![i]}, not ${x}`,
      ).toBeLessThanOrEqual(grad_rel_of_max * most + grad_abs);
  }
});

async function run(signal: SignalName, c: Case) {
  const { model, feeds, input } = inputs();
  const { graph } = model;
  const g = new GraphBuilder(graph);
  const [feature, adapter] = Object.keys(c.grads).map((of) => input(of, c.student[of]!));
  const teacher = input('teacher', c.teacher);
  const total = SIGNALS[signal].build(g, feature!, teacher, {
    temperature: c.temperature ?? c.tau ?? 1,
    ...(c.beta !== undefined && { beta: c.beta }),
    ...(adapter && { adapter }),
    ...(c.location_weight && { locationWeight: input('weight', c.location_weight) }),
  });
  const wrt = adapter ? [feature!, adapter] : [feature!];
  const found = backward(graph, [{ value: total, gradient: g.scalar(1, total) }], wrt, { g });
  graph.outputs = [total, ...found];
  const session = await openSession(model);
  const results = await session.run(feeds);
  await session.release();
  const of = (v: Value) => results[v.name]!.data as Float32Array;
  const names = Object.keys(c.grads);
  return {
    loss: of(total)[0]!,
    gradients: Object.fromEntries(found.map((v, i) => [names[i]!, of(v)])),
  };
}

/** An empty model, and what its inputs are fed. */
function inputs() {
  const model = emptyModel(10, 21);
  const feeds: Record<string, { dims: readonly number[]; data: Plain['data'] }> = {};
  const input = (name: string, { shape, data }: Plain): Value => {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    model.graph.inputs.push(value);
    feeds[name] = { dims: shape, data };
    return value;
  };
  return { model, feeds, input };
}

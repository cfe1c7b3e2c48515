/** @file Weighting rules against independent numbers. */

import { expect, test } from 'vitest';
import { backward } from '../../../workers/autodiff/backward.ts';
import { meanOverLocations } from '../../../workers/distillation/signals/divergence.ts';
import { confidence } from '../../../workers/distillation/weighting/confidence.ts';
import { constant } from '../../../workers/distillation/weighting/constant.ts';
import { gap } from '../../../workers/distillation/weighting/gap.ts';
import { gradientNorm } from '../../../workers/distillation/weighting/gradient-norm.ts';
import { schedule } from '../../../workers/distillation/weighting/schedule.ts';
import {
  logVarianceGradient,
  uncertainLoss,
  uncertainty,
} from '../../../workers/distillation/weighting/uncertainty.ts';
import type { Observation, Weighting } from '../../../workers/distillation/weighting/weighting.ts';
import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { emptyModel, Value } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { NO_SHARED_DATA, oracleCases } from '../../helpers/shared-data.ts';

interface Plain {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

// biome-ignore lint/suspicious/noExplicitAny: each rule's cases have fields of their own.
type Case = any;

/** The weights after each observation; the state goes through JSON, as it does in a checkpoint. */
function weightsOf<S, O>(rule: Weighting<S, O>, options: O, seen: readonly Observation[]) {
  let state = rule.start(options);
  return seen.map((observation) => {
    state = JSON.parse(JSON.stringify(rule.next(state, observation, options))) as S;
    return rule.weight(state, options);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, what: string) {
  expect(actual.length, what).toBe(expected.length);
  for (const [i, x] of Array.from(expected).entries())
    expect(Math.abs(actual[i]! - x), `${what} at ${i}: ${actual[i]}, not ${x}`).toBeLessThanOrEqual(
      1e-6 * Math.abs(x) + 1e-9,
    );
}

const CHECKS: Readonly<Record<string, (c: Case) => void | Promise<void>>> = {
  constant(c) {
    const weights = weightsOf(
      constant,
      { lambda: c.lambda_value },
      c.kd_losses.map(() => ({})),
    );
    expectClose(weights, c.weights, 'weights');
    const total = c.task_losses.map((l: number, i: number) => l + weights[i]! * c.kd_losses[i]);
    expectClose(total, c.total, 'total');
  },
  gap(c) {
    const options = {
      lambdaMin: c.lambda_min,
      lambdaMax: c.lambda_max,
      minGap: c.min_gap,
      higherIsBetter: c.higher_is_better,
    };
    const seen = c.student.map((student: number) => ({
      evaluation: { student, teacher: c.teacher },
    }));
    expectClose(weightsOf(gap, options, seen), c.weights, 'weights');
  },
  'gradient-norm'(c) {
    const options = {
      ratio: c.rho,
      beta: c.beta,
      lambdaMin: c.lambda_min,
      lambdaMax: c.lambda_max,
    };
    const seen = c.task_gradient_norms.map((task: number, i: number) => ({
      gradientNorms: { task, distillation: c.kd_gradient_norms[i] },
    }));
    expectClose(weightsOf(gradientNorm, options, seen), c.weights, 'weights');
  },
  uncertainty(c) {
    if (c.log_variance_grads) return expectUncertainty(c);
    const options = { learningRate: c.learning_rate, logVariance: 0 };
    let states = [uncertainty.start(options), uncertainty.start(options)];
    for (const [step, losses] of c.losses.entries()) {
      const logs = states.map((s) => s.logVariance);
      expectClose(logs, c.log_variances[step], `log variances of step ${step}`);
      const weights = states.map((s) => uncertainty.weight(s, options));
      expectClose(weights, c.weights[step], `weights of step ${step}`);
      const loss = states.reduce((sum, s, i) => sum + uncertainLoss(s, losses[i]), 0);
      expectClose([loss], [c.loss[step]], `loss of step ${step}`);
      states = states.map((s, i) => uncertainty.next(s, { loss: losses[i] }, options));
    }
    const after = states.map((s) => s.logVariance);
    expectClose(after, c.log_variances_after, 'log variances after');
  },
  confidence: expectConfidence,
};

function expectUncertainty(c: Case): void {
  const states = (c.log_variances as number[]).map((logVariance) => ({ logVariance }));
  const losses = c.losses as number[];
  const weights = states.map((s) => uncertainty.weight(s, uncertainty.defaults));
  expectClose(weights, c.weights, 'weights');
  const gradients = states.map((s, i) => logVarianceGradient(s, losses[i]!));
  expectClose(gradients, c.log_variance_grads, 'gradients');
  const loss = states.reduce((sum, s, i) => sum + uncertainLoss(s, losses[i]!), 0);
  expectClose([loss], [c.loss], 'loss');
}

async function expectConfidence(c: Case): Promise<void> {
  const model = emptyModel(10, 21);
  const { graph } = model;
  const input = (name: string, { shape }: Plain) => {
    const value = new Value(name, { kind: 'tensor', dtype: 'float32', shape });
    graph.inputs.push(value);
    return value;
  };
  const g = new GraphBuilder(graph);
  const logits = input('logits', c.teacher_logits);
  const each = input('each', c.location_loss);
  const { gamma, activation } = c;
  const weights = confidence.locations!(g, logits, { lambda: 1, gamma, activation });
  const loss = meanOverLocations(g, each, weights);
  const [d] = backward(graph, [{ value: loss, gradient: g.scalar(1, loss) }], [each], { g });
  graph.outputs = [weights, loss, d!];
  const session = await openSession(model);
  const feed = ({ shape, data }: Plain) => ({ dims: shape, data });
  const feeds = { logits: feed(c.teacher_logits), each: feed(c.location_loss) };
  const found = await session.run(feeds);
  await session.release();
  const of = (v: Value) => found[v.name]!.data as Float32Array;
  expectClose(of(weights), c.weights.data, 'weights');
  expectClose(of(loss), [c.loss], 'loss');
  expectClose(of(d!), c.location_loss_grad.data, 'gradient');
}

const cases = oracleCases('distillation')
  .filter(({ data }) => data['family'] === 'weighting')
  .map(({ name, data }) => [name, data as Case] as const);
if (cases.length === 0) test.skip(`weighting: ${NO_SHARED_DATA}`, () => {});

test.each(cases)('weighting %s', (_, c) => CHECKS[c.rule]!(c));

test.each([
  ['linear', [0, 0.25, 0.5, 1], [2, 2, 1.5, 1]],
  ['cosine', [0.25, 0.375, 0.75], [2, 1 + (1 + Math.SQRT1_2) / 2, 1]],
] as const)('schedule %s moves between begin and end', (shape, progress, weights) => {
  const options = { from: 2, to: 1, begin: 0.25, end: 0.75, shape };
  const seen = progress.map((p) => ({ progress: p }));
  expectClose(weightsOf(schedule, options, seen), weights, 'weights');
});

import { expect } from 'vitest';
import { activationEnergies } from '../../../workers/pruning/criteria/activation.ts';
import { gates } from '../../../workers/pruning/criteria/fisher.ts';
import { medianDistances } from '../../../workers/pruning/criteria/fpgm.ts';
import { lampScores } from '../../../workers/pruning/criteria/lamp.ts';
import { absoluteSums, norms } from '../../../workers/pruning/criteria/magnitude.ts';
import { NORMALIZATIONS, removalOrder } from '../../../workers/pruning/criteria/normalize.ts';
import { perChannel, type Role, type Slice } from '../../../workers/pruning/criteria/slices.ts';
import { squaredChanges } from '../../../workers/pruning/criteria/taylor.ts';
import { unstructured } from '../../../workers/pruning/sparsity/masks.ts';
import { expectClose, type OracleTensor, type Tolerance } from './tolerance.ts';

interface SlicesCase {
  readonly tolerance: Tolerance;
  readonly channels: number;
  readonly slices: readonly {
    readonly role: Role;
    readonly axis: number;
    readonly block: number;
    readonly offset: number;
    readonly values: OracleTensor;
  }[];
}

const slicesOf = ({ slices, channels }: SlicesCase): Slice[] =>
  slices.map(({ role, axis, block, offset, values }) => ({
    ...{ role, axis, dims: values.shape, values: values.data },
    indices: Array.from({ length: channels }, (_, c) =>
      Array.from({ length: block }, (_, k) => offset + c * block + k),
    ),
  }));

const producersOf = (c: SlicesCase) => slicesOf(c).filter(({ role }) => role === 'producer');

export function magnitude(
  c: SlicesCase &
    Readonly<Record<`l${1 | 2}${'' | '_producers'}` | 'l2_normalised', OracleTensor>> & {
      readonly order_l2: OracleTensor;
    },
): void {
  const l2 = norms(slicesOf(c));

  expectClose(absoluteSums(slicesOf(c)), c.l1, c.tolerance, 'l1');
  expectClose(l2, c.l2, c.tolerance, 'l2');
  expectClose(absoluteSums(producersOf(c)), c.l1_producers, c.tolerance, 'l1 of producers');
  expectClose(norms(producersOf(c)), c.l2_producers, c.tolerance, 'l2 of producers');
  expectClose(NORMALIZATIONS.group(l2), c.l2_normalised, c.tolerance, 'l2 over its mean');
  expect(removalOrder(l2)).toEqual(Array.from(c.order_l2.data));
}

export function fpgm(
  c: SlicesCase & { readonly score: OracleTensor; readonly order: OracleTensor },
) {
  const scores = medianDistances(producersOf(c));

  expectClose(scores, c.score, c.tolerance, 'distances');
  expect(removalOrder(scores)).toEqual(Array.from(c.order.data));
}

interface LampGroups {
  readonly tolerance: Tolerance;
  readonly groups: readonly { readonly energy: OracleTensor; readonly score: OracleTensor }[];
}

interface LampWeights {
  readonly tolerance: Tolerance;
  readonly weights: Readonly<Record<string, OracleTensor>>;
  readonly score: Readonly<Record<string, OracleTensor>>;
  readonly kept: Readonly<Record<string, OracleTensor>>;
  readonly sparsity: number;
}

export function lamp(c: LampGroups | LampWeights): void {
  if ('groups' in c) {
    for (const { energy, score } of c.groups)
      expectClose(lampScores(energy.data), score, c.tolerance, 'score');
    return;
  }
  const names = Object.keys(c.weights);
  const scores = names.map((name) => lampScores(c.weights[name]!.data.map((w) => w * w)));
  for (const [i, name] of names.entries())
    expectClose(scores[i]!, c.score[name]!, c.tolerance, name);
  const masks = unstructured(scores, c.sparsity);
  for (const [i, name] of names.entries())
    expect(Array.from(masks[i]!), name).toEqual(Array.from(c.kept[name]!.data));
}

export function activationEnergy(c: {
  readonly tolerance: Tolerance;
  readonly batches: readonly OracleTensor[];
  readonly score: OracleTensor;
  readonly order: OracleTensor;
}): void {
  const scores = activationEnergies(c.batches);

  expectClose(scores, c.score, c.tolerance, 'energy');
  expect(removalOrder(scores)).toEqual(Array.from(c.order.data));
}

interface FirstOrder {
  readonly tolerance: Tolerance;
  readonly weights: Readonly<Record<string, OracleTensor>>;
  readonly per_sample_grads: Readonly<Record<string, OracleTensor>>;
  readonly score_producer: OracleTensor;
  readonly score_all_slices: OracleTensor;
  readonly order: OracleTensor;
}

/** The cases whose numbers are given; taylor_network, which has to be run, is `gradient-scores.ts`. */
export function taylorFirstOrder(c: FirstOrder): void {
  const made = c.score_producer.data.length;
  const axisOf = (shape: readonly number[]) => (shape[0] === made ? 0 : 1);
  const changes = (names: readonly string[]) =>
    Array.from({ length: c.per_sample_grads[names[0]!]!.shape[0]! }, (_, n) => {
      const total = new Float64Array(made);
      for (const name of names) {
        const { shape, data } = c.weights[name]!;
        const gradient = c.per_sample_grads[name]!.data.subarray(n * data.length);
        const along = alongAxis(
          data.map((w, i) => w * gradient[i]!),
          shape,
          axisOf(shape),
        );
        const own = Array.from({ length: made }, (_, k) => [k]);
        for (const [k, x] of perChannel(along, own).entries()) total[k]! += x;
      }
      return total;
    });
  const producers = Object.keys(c.weights).filter((n) => axisOf(c.weights[n]!.shape) === 0);
  const scores = squaredChanges(changes(producers), made);

  expectClose(scores, c.score_producer, c.tolerance, 'producers');
  expectClose(
    squaredChanges(changes(Object.keys(c.weights)), made),
    c.score_all_slices,
    c.tolerance,
    'all slices',
  );
  expect(removalOrder(scores)).toEqual(Array.from(c.order.data));
}

function alongAxis(values: ArrayLike<number>, shape: readonly number[], axis: number) {
  const inner = shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const sums = new Float64Array(shape[axis]!);
  for (let i = 0; i < values.length; i++) sums[Math.floor(i / inner) % shape[axis]!]! += values[i]!;
  return sums;
}

export function taylorGate(c: {
  readonly tolerance: Tolerance;
  readonly activation: OracleTensor;
  readonly gradient: OracleTensor;
  readonly score: OracleTensor;
}): void {
  const [samples, channels] = c.activation.shape as [number, number];
  const size = c.activation.data.length / samples;
  const perSample = Array.from({ length: samples }, (_, n) => {
    const of = ({ data }: OracleTensor) => data.subarray(n * size, (n + 1) * size);
    return gates(of(c.activation), of(c.gradient), channels);
  });

  expectClose(squaredChanges(perSample, channels), c.score, c.tolerance, 'score');
}

/** @file Which channels belong together, and how groups explain themselves. */

import { expect, test } from 'vitest';
import { GRADIENT_RULES } from '../../../../workers/autodiff/registry.ts';
import { countMacs, countParams } from '../../../../workers/onnx/cost.ts';
import { channelCost } from '../../../../workers/pruning/coupling/channel-cost.ts';
import { findGroups } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { COUPLING_RULES } from '../../../../workers/pruning/coupling/registry.ts';
import { cut } from '../../../../workers/pruning/cut/cut.ts';
import { SMALL_GRAPHS } from '../graphs.ts';

const graphs = new Map(SMALL_GRAPHS.map(([name, , build]) => [name, build]));
const prepared = (name: string) => prepareForPruning(graphs.get(name)!());

test.each(SMALL_GRAPHS)('%s: groups of these sizes', async (_, sizes, build) => {
  const { groups } = findGroups(await prepareForPruning(build()));
  expect(groups.map(({ size }) => size)).toEqual(sizes);
  expect(new Set(groups.map(({ id }) => id)).size).toBe(groups.length);
});

test.each(SMALL_GRAPHS)('%s: a channel costs what cutting it saves', async (_, __, build) => {
  const model = await prepareForPruning(build());
  const { groups } = findGroups(model);
  for (const group of groups) {
    const rest = Array.from({ length: group.size - 1 }, (_, c) => c + 1);
    const { model: pruned } = cut(model, groups, new Map([[group.id, rest]]));
    const { params, macs } = channelCost(model, group);
    expect(macs).toBe(countMacs(model) - countMacs(pruned));
    expect(params).toBeGreaterThanOrEqual(countParams(model) - countParams(pruned));
  }
});

test('a group names its members and says in words what ties them', async () => {
  const { groups } = findGroups(
    await prepared('halves of one conv, one of them twice in a Concat'),
  );
  const [, second] = groups;
  expect(second).toMatchObject({ id: 'p[6…11]', size: 6, unit: 1 });
  expect(second!.producers.map(({ weight }) => weight.name)).toEqual(['a', 'b']);
  expect(second!.consumers.map(({ weight }) => weight.name)).toEqual(['b', 'z']);
  const joint = second!.activations.find(({ value }) => value.name === 'c')!;
  expect([joint.indices[0], joint.mixed]).toEqual([[6, 12], true]);
  expect(second!.why.join('\n')).toMatch(/Add '.*' ties 'r' and 'q'/);
});

test('what cannot be cut says why', async () => {
  const { refused } = findGroups(await prepared('a chain with BatchNorm'));
  expect(refused.map(({ value, reason }) => [value.name, reason])).toEqual([
    ['y', "it belongs to the graph output 'y'"],
  ]);
});

/** Ops that gradients are known of, and whose channels are not followed: what they take in stays whole. */
const UNFOLLOWED = new Set(
  (
    'AffineGrid Attention CenterCropPad Col2Im Compress ConcatFromSequence ConstantOfShape ConvInteger DFT DeformConv Det ' +
    'DynamicQuantizeLinear EyeLike GRU GatherElements GatherND If LSTM Loop MatMulInteger MaxUnpool Multinomial ' +
    'NonMaxSuppression NonZero OneHot OptionalGetElement OptionalHasElement QLinearConv QLinearMatMul RNN Range ' +
    'ReverseSequence RotaryEmbedding STFT Scan ScatterElements ScatterND SequenceAt SequenceConstruct SequenceInsert ' +
    'SequenceMap Shape Size SplitToSequence Unique'
  ).split(' '),
);

test('every op that can be differentiated is followed, or known not to be', () => {
  const missing = Object.keys(GRADIENT_RULES).filter((op) => !(op in COUPLING_RULES));
  expect(missing.filter((op) => !UNFOLLOWED.has(op))).toEqual([]);
});

/** @file Cuts of small graphs: proved against the masked original; what is asked wrongly is refused. */

import { expect, test } from 'vitest';

import { findGroups } from '../../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../../workers/pruning/coupling/prepare.ts';
import { cut } from '../../../../workers/pruning/cut/cut.ts';
import { provePruned } from '../../../../workers/pruning/cut/proof.ts';
import { yolov8 } from '../../../helpers/head-models.ts';
import { SMALL_GRAPHS } from '../graphs.ts';
import { expectProvedCut } from '../proved-cut.ts';

test.each(SMALL_GRAPHS)('%s: random cuts are proved', async (_, __, build) => {
  for (const seed of [1, 2, 3]) await expectProvedCut(build(), seed);
});

test('a detector whose output convs are all that it has stays whole', async () => {
  const model = await prepareForPruning(yolov8({ classes: 3 }));
  const { groups, refused } = findGroups(model);
  expect(groups).toEqual([]);
  expect(refused.map(({ reason }) => reason).join()).toMatch(/softmax|graph output/);
});

test('a cut that is not what the report says is caught', async () => {
  const [, , build] = SMALL_GRAPHS[0]!;
  const model = await prepareForPruning(build());
  const { groups } = findGroups(model);
  const { model: pruned } = cut(model, groups, new Map([[groups[0]!.id, [0, 1, 2, 3, 4]]]));
  const { report } = cut(model, groups, new Map([[groups[0]!.id, [0, 1, 2, 3, 5]]]));
  const options = { threads: 1, seed: 1 };
  await expect(provePruned(model, pruned, report, [], options)).rejects.toThrow(
    /internal: the pruned model differs from the masked original by .* of the scale of 'y'/,
  );
});

test('groups of another model, and groups without a channel left, are refused', async () => {
  const [, , build] = SMALL_GRAPHS[0]!;
  const model = await prepareForPruning(build());
  const { groups } = findGroups(model);
  expect(() => cut(model, groups, new Map([['elsewhere', [0]]]))).toThrow(/no group 'elsewhere'/);
  expect(() => cut(model, groups, new Map([[groups[0]!.id, []]]))).toThrow(/nothing of axis/);
});

test('nothing of the model that was cut is changed', async () => {
  const [, , build] = SMALL_GRAPHS[2]!;
  const [model, same] = [await prepareForPruning(build()), await prepareForPruning(build())];
  const { groups } = findGroups(model);
  cut(model, groups, new Map(groups.map(({ id }) => [id, [0]])));
  expect(model.graph.nodes).toEqual(same.graph.nodes);
  expect(model.graph.initializers).toEqual(same.graph.initializers);
});

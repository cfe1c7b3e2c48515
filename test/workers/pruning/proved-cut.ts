/** @file The property that every cut has: it equals the masked original, and what is left is a sound model. */

import { expect } from 'vitest';

import { checkModel } from '../../../workers/onnx/check.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { findGroups, type Group } from '../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { cut } from '../../../workers/pruning/cut/cut.ts';
import { provePruned } from '../../../workers/pruning/cut/proof.ts';
import { random } from '../../../workers/runtime/random.ts';

/** A seeded part of every group, at least one channel. */
export function randomKept(groups: readonly Group[], seed: number, share: number) {
  const rng = random(seed);
  return new Map(
    groups.map(({ id, size }) => {
      const some = Array.from({ length: size }, (_, c) => c).filter(() => rng.uniform() < share);
      return [id, some.length > 0 ? some : [rng.below(size)]] as const;
    }),
  );
}

/** Cut a random part of every group out of a model as read, prove it, and check what is left. */
export async function expectProvedCut(model: Model, seed: number, share = 0.6): Promise<Model> {
  const original = await prepareForPruning(model);
  const { groups } = findGroups(original);
  const { model: pruned, report } = cut(original, groups, randomKept(groups, seed, share));
  await provePruned(original, pruned, report, [], { threads: 1, seed });
  const again = readModel(writeModel(pruned));
  checkModel(again);
  expect(again.opsets).toEqual(model.opsets);
  expect(again.metadata).toEqual(model.metadata);
  expect(again.graph.inputs.map((v) => v.name)).toEqual(original.graph.inputs.map((v) => v.name));
  expect(again.graph.outputs.map((v) => v.name)).toEqual(model.graph.outputs.map((v) => v.name));
  const names = new Set(original.graph.nodes.map((node) => node.name));
  expect(again.graph.nodes.filter((node) => !names.has(node.name))).toEqual([]);
  return again;
}

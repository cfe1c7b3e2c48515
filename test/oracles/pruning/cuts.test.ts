/** @file Cuts against hand-built ones: what goes, what is left, and what must be refused. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { intOf } from '../../../workers/onnx/attributes.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { findGroups } from '../../../workers/pruning/coupling/groups.ts';
import { prepareForPruning } from '../../../workers/pruning/coupling/prepare.ts';
import { type Request, removable } from '../../../workers/pruning/coupling/removable.ts';
import { cut } from '../../../workers/pruning/cut/cut.ts';
import { maskModel } from '../../../workers/pruning/cut/mask.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { NO_SHARED_DATA, oracleCases } from '../../helpers/shared-data.ts';

interface Numbers {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

interface CutCase {
  readonly model: string;
  readonly request: Request;
  readonly inputs: Readonly<Record<string, Numbers>>;
  readonly tolerance: { readonly output_abs?: number };
  readonly may_refuse?: boolean;
  readonly expected_output: Numbers;
  readonly masked_output?: Numbers;
  readonly initializer_dims_after: Readonly<Record<string, readonly number[]>>;
  readonly shape_constants_after: Readonly<Record<string, readonly number[]>>;
  readonly attributes_after: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly parameters: { readonly after: number };
  readonly reason: string;
  readonly blocking_node?: string;
  readonly blocking_op?: string;
}

const named = (pattern: RegExp) =>
  oracleCases('pruning')
    .filter(({ name }) => pattern.test(name))
    .map((c) => [c.name, c.folder, c.data as unknown as CutCase] as const);

const cuts = named(/^cut_/);
const refusals = named(/^refuse_(?!or_exact)/);
const either = named(/^refuse_or_exact_/);
if (cuts.length === 0) test.skip(`pruning cuts: ${NO_SHARED_DATA}`, () => {});

test.each(cuts)('%s', async (_, folder, data) => {
  const model = await prepared(folder, data);
  const result = removable(model, data.request);
  if (data.may_refuse && !('kept' in result)) return;
  if (!('kept' in result)) throw new Error(result.reason);

  const { model: pruned, report } = cut(model, findGroups(model).groups, result.kept);

  await expectOutput(pruned, data, data.expected_output);
  await expectOutput(maskModel(model, report), data, data.expected_output);
  const left = Object.fromEntries(pruned.graph.initializers.map((v) => [v.name, v.constant!]));
  for (const [name, dims] of Object.entries(data.initializer_dims_after))
    expect([name, left[name]?.dims]).toEqual([name, dims]);
  for (const [name, numbers] of Object.entries(data.shape_constants_after))
    expect([name, numbersOf(left[name]!)]).toEqual([name, numbers]);
  for (const [output, attributes] of Object.entries(data.attributes_after))
    for (const [name, value] of Object.entries(attributes))
      expect(intOf(makerOf(pruned, output), name, 1)).toBe(value);
  const floats = Object.values(left).filter(({ dtype }) => dtype === 'float32');
  expect(floats.reduce((n, tensor) => n + tensor.size, 0)).toBe(data.parameters.after);
});

test.each(refusals)('%s', async (_, folder, data) => {
  const model = await prepared(folder, data);
  const before = writeModel(model);

  const result = removable(model, data.request);

  expect(result).toMatchObject({ reason: expect.stringMatching(new RegExp(data.reason, 'i')) });
  expect(result).toMatchObject({ reason: expect.stringContaining(data.request.tensor) });
  if (data.blocking_op) expect(result).toMatchObject({ node: { op: data.blocking_op } });
  if (data.blocking_node) expect(result).toMatchObject({ node: { name: data.blocking_node } });
  expect(writeModel(model)).toEqual(before);
});

test.each(either)('%s', async (_, folder, data) => {
  const model = await prepared(folder, data);
  const result = removable(model, data.request);
  if ('kept' in result) {
    const { model: pruned } = cut(model, findGroups(model).groups, result.kept);
    await expectOutput(pruned, data, data.masked_output!);
  } else expect(result.reason).toMatch(new RegExp(`${data.request.tensor}.*${data.reason}`, 'i'));
});

const prepared = (folder: string, { model }: CutCase) =>
  prepareForPruning(readModel(readFileSync(join(folder, model))));

const makerOf = ({ graph }: Model, output: string) =>
  graph.nodes.find((node) => node.outputs.some((y) => y?.name === output))!;

async function expectOutput(model: Model, data: CutCase, expected: Numbers): Promise<void> {
  const session = await openSession(writeModel(model));
  const feeds = Object.entries(data.inputs).map(([name, { shape, data: numbers }]) => {
    return [name, { dims: shape, data: numbers }] as const;
  });
  const [output] = Object.values(await session.run(Object.fromEntries(feeds)));
  await session.release();
  expect(output!.dims).toEqual(expected.shape);
  const worst = expected.data.reduce(
    (most, e, i) => Math.max(most, Math.abs(e - Number(output!.data[i]))),
    0,
  );
  expect(worst).toBeLessThanOrEqual(data.tolerance.output_abs!);
}

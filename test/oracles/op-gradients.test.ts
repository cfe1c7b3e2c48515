/** @file Gradient rules against independent numbers, one operator each. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { backward } from '../../workers/autodiff/backward.ts';
import { Value } from '../../workers/onnx/graph.ts';
import { normalize } from '../../workers/onnx/normalize.ts';
import { readModel } from '../../workers/onnx/read.ts';
import { shapeOf } from '../../workers/onnx/static-shapes.ts';
import type { TypedArray } from '../../workers/onnx/values.ts';
import { inferTypes } from '../../workers/runtime/infer-types.ts';
import { type Feed, openSession } from '../../workers/runtime/session.ts';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';

/** Integers are read as doubles. */
interface Plain {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array;
}

const cases = oracleCases('op-gradients');
if (cases.length === 0) test.skip(`op-gradients: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c] as const))(
  'op-gradients %s',
  async (_, { data, folder }) => {
    const record = (name: string) => data[name] as Readonly<Record<string, Plain>>;
    const model = readModel(await readFile(join(folder, data['model'] as string)));
    await inferTypes(model);
    normalize(model);
    await inferTypes(model);
    const { graph } = model;
    const named = new Map([...graph.inputs, ...graph.initializers].map((v) => [v.name, v]));
    const wrt = Object.keys(record('grads')).map((name) => named.get(name)!);
    const seeds = graph.outputs
      .filter((value) => record('upstream')[value.name])
      .map((value) => {
        const gradient = new Value(`upstream/${value.name}`, value.type);
        graph.inputs.push(gradient);
        return { value, gradient };
      });

    const gradients = backward(graph, seeds, wrt);

    graph.outputs = [...new Set([...graph.outputs, ...gradients])];
    const session = await openSession(model);
    const feeds = Object.fromEntries([
      ...Object.entries(record('inputs')).map(([name, t]) => [name, feed(t)]),
      ...seeds.map(({ value, gradient }) => [gradient.name, feed(record('upstream')[value.name]!)]),
    ]);
    const results = await session.run(feeds);
    await session.release();
    for (const [name, expected] of Object.entries(record('outputs'))) {
      expectClose(results[name]!.data, expected, `output ${name}`);
    }
    for (const [i, [name, expected]] of Object.entries(record('grads')).entries()) {
      expect(results[gradients[i]!.name]!.dims, `shape of the gradient of ${name}`).toEqual(
        shapeOf(wrt[i]!),
      );
      expectClose(results[gradients[i]!.name]!.data, expected, `gradient of ${name}`);
    }
  },
);

const feed = ({ shape, data }: Plain): Feed =>
  data instanceof Float32Array
    ? { dims: shape, data }
    : { dims: shape, data: BigInt64Array.from(data, BigInt), dtype: 'int64' };

/** Within 1e-5 of the largest magnitude, the tolerance of float32 code. */
function expectClose(actual: TypedArray, { data }: Plain, what: string): void {
  let scale = 1e-30;
  let worst = 0;
  for (const [i, v] of data.entries()) {
    scale = Math.max(scale, Math.abs(v));
    worst = Math.max(worst, Math.abs(Number(actual[i]) - v));
  }
  expect(worst / scale, what).toBeLessThanOrEqual(1e-5);
}

/** @file Norms put back and folded again compute what the model did. */

import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { cloneModel } from '../../../workers/onnx/clone.ts';
import type { Model } from '../../../workers/onnx/graph.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { sampleFeed } from '../../../workers/tasks/feed.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { foldNorms, insertNorms } from '../../../workers/training/insert-norms.ts';
import { squares } from '../../helpers/squares.ts';
import { modelOf, randomWeight, shapeWeight } from '../../helpers/tiny-model.ts';

/** A classifier: two Convs, pooling, Gemm. */
const small = (): Model =>
  modelOf(
    `(float[1, 3, 64, 64] x, float[4, 3, 3, 3] w, float[4] b, float[6, 4, 3, 3] v, float[3, 6] f, int64[2] s) => (float[1, 3] y) {
      c = Conv<strides = [2, 2]>(x, w, b)
      r = Relu(c)
      d = Conv<strides = [2, 2]>(r, v)
      q = Sigmoid(d)
      p = GlobalAveragePool(q)
      h = Reshape(p, s)
      y = Gemm<transB = 1>(h, f)
    }`,
    {
      w: randomWeight([4, 3, 3, 3], 1, 0.5),
      b: { dims: [4], data: [0.1, -0.2, 0.3, 0.4] },
      v: randomWeight([6, 4, 3, 3], 2, 0.5),
      f: randomWeight([3, 6], 3, 0.5),
      s: shapeWeight(1, 6),
    },
  );

test('the same function with norms inserted, and with them folded', async () => {
  const samples = await squares(await mkdtemp(join(tmpdir(), 'lathe-norms-')), 6);
  const model = small();
  const task = bindTask(model, { task: 'classify' });
  const { feeds } = await sampleFeed(samples[0]!, task);
  const run = async (m: Model) => {
    const session = await openSession(cloneModel(m));
    const { y } = await session.run(feeds);
    await session.release();
    return Array.from(y!.data, Number);
  };
  const before = await run(model);
  const runtime = { threads: 1, provider: 'cpu', seed: 0, signal: new AbortController().signal };
  expect(await insertNorms(model, samples, { binding: task, ...runtime })).toBe(2);
  expect(model.graph.nodes.filter((n) => n.op === 'BatchNormalization')).toHaveLength(2);
  // Where every Conv has its norm there is nothing to do.
  expect(await insertNorms(model, samples, { binding: task, ...runtime })).toBe(0);
  const inserted = await run(model);
  await foldNorms(model);
  expect(model.graph.nodes.some((n) => n.op === 'BatchNormalization')).toBe(false);
  expect(model.graph.nodes.map((n) => n.outputs[0]!.name)).toEqual(
    small().graph.nodes.map((n) => n.outputs[0]!.name),
  );
  const folded = await run(model);
  for (const [i, y] of before.entries()) {
    expect(inserted[i]).toBeCloseTo(y, 4);
    expect(folded[i]).toBeCloseTo(y, 4);
  }
});

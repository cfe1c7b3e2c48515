/** @file Softplus in threaded ops against its formula in plain arithmetic, far from zero too. */

import { expect, test } from 'vitest';

import { GraphBuilder } from '../../../workers/onnx/builder.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { canonical } from '../../../workers/training/canonical.ts';
import { threadSoftplus } from '../../../workers/training/threaded-softplus.ts';
import { modelOf } from '../../helpers/tiny-model.ts';

const POINTS = [-1e4, -90, -20, -3, -0.5, 0, 0.5, 3, 20, 90, 1e4];
const TEXT = `(float[${POINTS.length}] x) => (float[${POINTS.length}] y) { h = Softplus(x)\n y = Neg(h) }`;

test('no Softplus is left, and every number stays', async () => {
  const model = await canonical(modelOf(TEXT, {}));
  threadSoftplus(new GraphBuilder(model.graph));
  expect(model.graph.nodes.map((n) => n.op)).not.toContain('Softplus');
  const session = await openSession(model);
  const data = Float32Array.from(POINTS);
  const { y } = await session.run({ x: { dims: [POINTS.length], data } });
  await session.release();
  POINTS.forEach((x, i) => {
    const softplus = Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    expect(-Number(y!.data[i])).toBeCloseTo(softplus, 6);
  });
});

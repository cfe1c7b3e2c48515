/** @file A small classifier with a SiLU, a Relu, a pooling and a matrix product: every kind of rounding in one graph. */

import type { Model } from '../../../../workers/onnx/graph.ts';
import { modelOf, randomWeight } from '../../../helpers/tiny-model.ts';

export const classifier = (): Model =>
  modelOf(
    `(float[1,3,64,64] image, float[8,3,3,3] W, float[8] A, float[8,8,3,3] V, float[8] B, float[8,6] M, float[6] C) => (float[1,6] scores) {
      c = Conv<pads=[1,1,1,1], strides=[4,4]>(image, W, A)
      s = Sigmoid(c)
      t = Mul(c, s)
      d = Conv<pads=[1,1,1,1], strides=[2,2]>(t, V, B)
      r = Relu(d)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      scores = Gemm(f, M, C)
    }`,
    {
      W: randomWeight([8, 3, 3, 3], 1),
      A: randomWeight([8], 2),
      V: randomWeight([8, 8, 3, 3], 3, 0.5),
      B: randomWeight([8], 4),
      M: randomWeight([8, 6], 5),
      C: randomWeight([6], 6, 0.1),
    },
    { task: 'classify' },
  );

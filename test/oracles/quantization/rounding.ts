import { expect } from 'vitest';
import type { Format } from '../../../workers/quantization/formats.ts';
import {
  asymmetric,
  decode,
  encode,
  type Quantizer,
  symmetric,
} from '../../../workers/quantization/scale.ts';
import { quantizeWeights, type WeightFormat } from '../../../workers/quantization/weights.ts';
import { expectWithin, type OracleTensor, relative } from './tolerance.ts';

export interface RoundingCase {
  readonly type: Format;
  readonly scheme: 'asymmetric' | 'symmetric';
  readonly axis?: number;
  /** Where absent, the scale is given rather than chosen. */
  readonly range?: readonly [number, number];
  readonly x: OracleTensor;
  readonly scale: number | OracleTensor;
  readonly zero_point?: number;
  readonly q: OracleTensor;
  readonly dequantized: OracleTensor;
}

export function rounding(c: RoundingCase): void {
  if (c.axis !== undefined) perChannel(c, c.scale as OracleTensor, c.axis);
  else perTensor(c, c.scale as number);
}

function perTensor(c: RoundingCase, scale: number): void {
  const expected: Quantizer = { format: c.type, scale, zeroPoint: c.zero_point! };
  const chosen = c.range ? quantizerOf(c, c.range) : expected;

  expect(relative(chosen.scale, scale)).toBeLessThanOrEqual(1e-7);
  expect(chosen.zeroPoint).toBe(c.zero_point);
  const codes = Array.from(c.x.data, (x) => encode(x, chosen));
  expectWithin(codes, c.q.data, {});
  expectWithin(
    codes.map((q) => decode(q, chosen)),
    c.dequantized.data,
    { rel: 1e-6 },
  );
}

const quantizerOf = ({ scheme, type }: RoundingCase, [min, max]: readonly [number, number]) =>
  scheme === 'symmetric' ? symmetric(Math.max(-min, max), type) : asymmetric(min, max, type);

function perChannel(c: RoundingCase, scale: OracleTensor, axis: number): void {
  const { codes, scales } = quantizeWeights(Float32Array.from(c.x.data), c.x.shape, axis, {
    format: c.type as WeightFormat,
    range: 'max',
  });

  expectWithin(scales, scale.data, { rel: 1e-7 });
  expectWithin(codes, c.q.data, {});
  const inner = c.x.shape.slice(axis + 1).reduce((n, d) => n * d, 1);
  const channel = (i: number) => Math.floor(i / inner) % c.x.shape[axis]!;
  expectWithin(
    Array.from(codes, (q, i) => q * scales[channel(i)]!),
    c.dequantized.data,
    { rel: 1e-6 },
  );
}

import { expect } from 'vitest';
import { quantizeBias } from '../../../workers/quantization/bias.ts';
import { biasShift } from '../../../workers/quantization/bias-correction.ts';
import { sqnr as sqnrOf } from '../../../workers/quantization/sqnr.ts';
import { expectWithin, type OracleTensor } from './tolerance.ts';

export interface BiasCase {
  readonly bias: OracleTensor;
  readonly input_scale: number;
  readonly weight_scale: OracleTensor;
  readonly bias_scale: OracleTensor;
  readonly q: OracleTensor;
  readonly saturated: OracleTensor;
}

export function bias(c: BiasCase): void {
  const { codes, scales, saturated } = quantizeBias(
    c.bias.data,
    c.input_scale,
    c.weight_scale.data,
  );

  expectWithin(scales, c.bias_scale.data, { rel: 2e-7 });
  const off = Array.from(codes, (q, i) => ({ q, expected: c.q.data[i]! })).filter(
    ({ q, expected: e }) => Math.abs(q - e) > (Math.abs(e) <= 2 ** 22 ? 0 : Math.abs(e) * 2 ** -22),
  );
  expect(off).toEqual([]);
  expect(saturated).toEqual(Array.from(c.saturated.data));
}

export interface BiasCorrectionCase {
  /** Absent for MatMul: Y = X·W, weights (K, N). */
  readonly group?: number;
  readonly channel_mean: OracleTensor;
  readonly weight: OracleTensor;
  readonly weight_dequantized: OracleTensor;
  readonly bias: OracleTensor;
  readonly shift: OracleTensor;
  readonly corrected_bias: OracleTensor;
}

export function biasCorrection(c: BiasCorrectionCase): void {
  const isMatMul = c.group === undefined;
  const [w, rounded] = [c.weight, c.weight_dequantized].map((t) => (isMatMul ? transposed(t) : t));
  const shift = biasShift(w!.data, rounded!.data, w!.shape, c.channel_mean.data, c.group ?? 1);

  expectWithin(shift, c.shift.data, { relOfMax: 1e-5 });
  expectWithin(
    Array.from(c.bias.data, (b, i) => b - shift[i]!),
    c.corrected_bias.data,
    { relOfMax: 1e-5 },
  );
}

function transposed({ shape: [rows, columns], data }: OracleTensor): OracleTensor {
  return {
    shape: [columns!, rows!],
    data: Float64Array.from(
      { length: data.length },
      (_, i) => data[(i % rows!) * columns! + Math.floor(i / rows!)]!,
    ),
  };
}

export interface SqnrCase {
  readonly entries: readonly {
    readonly x: OracleTensor;
    readonly y: OracleTensor;
    readonly sqnr_db: number | null;
  }[];
}

export function sqnr({ entries }: SqnrCase): void {
  for (const { x, y, sqnr_db } of entries) {
    const db = sqnrOf(x.data, y.data);
    if (sqnr_db === null) expect(db).toBe(Number.POSITIVE_INFINITY);
    else expect(Math.abs(db - sqnr_db)).toBeLessThanOrEqual(1e-4);
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Value } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { weightIndex } from '../../../workers/onnx/trained.ts';
import { numbersOf } from '../../../workers/onnx/values.ts';
import type { Format } from '../../../workers/quantization/formats.ts';
import { insertQdq } from '../../../workers/quantization/insert-qdq.ts';
import { asymmetric, type Quantizer, symmetric } from '../../../workers/quantization/scale.ts';
import { sqnr } from '../../../workers/quantization/sqnr.ts';
import { openSession } from '../../../workers/runtime/session.ts';
import { expectWithin, type OracleTensor } from './tolerance.ts';

export interface QdqCase {
  readonly activation_type: Format;
  readonly weight_type: 'int8' | 'int16';
  readonly float_model: string;
  readonly model: string;
  readonly input: { readonly X: OracleTensor };
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  readonly expected: Readonly<Record<string, number | OracleTensor>>;
  readonly integer_reference: { readonly Y: OracleTensor };
  readonly sqnr_db: number;
  readonly float_output: { readonly Y: OracleTensor };
  readonly tolerance: {
    readonly onnxruntime_vs_integer_steps: number;
    readonly share_of_elements_off: number;
    readonly step: number;
  };
}

/** Quantize the float model ourselves, with the oracle's ranges; compare constants, then what onnxruntime computes. */
export async function qdqGraph(c: QdqCase, folder: string): Promise<void> {
  const { model, quantizers } = quantized(c, folder);

  for (const [name, { scale, zeroPoint }] of quantizers) {
    expect(Math.abs(scale - (c.expected[`${name}_scale`] as number))).toBeLessThanOrEqual(
      1e-7 * scale,
    );
    expect(zeroPoint).toBe(c.expected[`${name}_zero_point`]);
  }
  const constants = new Map(model.graph.initializers.map((v) => [v.name, numbersOf(v.constant!)]));
  const of = (name: string) => (c.expected[name] as OracleTensor).data;
  expect(constants.get('W/quantized')).toEqual(Array.from(of('W_quantized')));
  expectWithin(constants.get('W/scale')!, of('W_scale'), { rel: 1e-7 });
  expect(constants.get('B/quantized')).toEqual(Array.from(of('B_quantized')));
  expectWithin(constants.get('B/scale')!, of('B_scale'), { rel: 2e-7 });

  await expectToCompute(c, model);
  await expectToCompute(c, readModel(readFileSync(join(folder, c.model))));
}

function quantized(c: QdqCase, folder: string) {
  const model = readModel(readFileSync(join(folder, c.float_model)));
  const { graph } = model;
  const values = new Map<string, Value>(
    [...graph.inputs, ...graph.outputs].map((v) => [v.name, v]),
  );
  const quantizers = new Map<string, Quantizer>(
    Object.entries(c.ranges).map(([name, [min, max]]) => [
      name,
      c.activation_type === 'int16'
        ? symmetric(Math.max(-min, max), 'int16')
        : asymmetric(min, max, c.activation_type),
    ]),
  );
  insertQdq(
    graph,
    graph.nodes.filter((n) => weightIndex(n) !== undefined),
    [...quantizers.keys()].map((name) => ({
      value: values.get(name)!,
      activation: undefined,
      readers: 'all' as const,
    })),
    new Map([...quantizers].map(([name, q]) => [values.get(name)!, q])),
    { weights: { format: c.weight_type, range: 'max' }, biases: 'int32' },
  );
  return { model, quantizers };
}

async function expectToCompute(c: QdqCase, model: ReturnType<typeof readModel>): Promise<void> {
  const session = await openSession(model);
  const { X } = c.input;
  const results = await session.run({ X: { dims: X.shape, data: Float32Array.from(X.data) } });
  await session.release();
  const y = Array.from(results['Y']!.data as Float32Array);
  const reference = c.integer_reference.Y.data;
  const steps = y.map((v, i) => Math.round(Math.abs(v - reference[i]!) / c.tolerance.step));

  expect(Math.max(...steps)).toBeLessThanOrEqual(c.tolerance.onnxruntime_vs_integer_steps);
  expect(steps.filter((n) => n > 0).length / steps.length).toBeLessThanOrEqual(
    c.tolerance.share_of_elements_off,
  );
  expect(Math.abs(sqnr(c.float_output.Y.data, y) - c.sqnr_db)).toBeLessThanOrEqual(0.1);
}

/** @file Gradients of backward() beside central differences, element by element. */

import { backward } from '../../../workers/autodiff/backward.ts';
import { type Model, Value } from '../../../workers/onnx/graph.ts';
import { normalize } from '../../../workers/onnx/normalize.ts';
import { shapeOf, sizeOf } from '../../../workers/onnx/static-shapes.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { inferTypes } from '../../../workers/runtime/infer-types.ts';
import { random } from '../../../workers/runtime/random.ts';
import { type Feed, openSession } from '../../../workers/runtime/session.ts';
import { caseText, FORWARD, type GradientCase, numbersFor } from './gradient-case.ts';

/** Row-major numbers by name. */
type Numbers = Record<string, Float64Array>;

export interface Compared {
  readonly input: string;
  readonly shape: readonly number[];
  readonly gradientShape: readonly number[];
  /** Largest |gradient − difference| over the largest |difference| of the input. */
  readonly error: number;
  readonly gradient: readonly number[];
  readonly difference: readonly number[];
}

/** L = Σ outputs · c, c spread over ±1: dL/dx of every float input x, both ways. */
export async function compare(entry: GradientCase): Promise<Compared[]> {
  const model = await typed(caseText(entry));
  const inputs = model.graph.inputs.filter((v) => !v.constant);
  const at: Numbers = Object.fromEntries(
    inputs.map((v, i) => [
      v.name,
      Float64Array.from(numbersFor(entry.values?.[v.name], sizeOf(shapeOf(v)), 7 + i)),
    ]),
  );
  const wrt = inputs.filter(isFloat);
  const outputs = model.graph.outputs.filter(isFloat);
  const upstream: Numbers = Object.fromEntries(
    outputs.map((v, i) => [v.name, cotangent(sizeOf(shapeOf(v)), 100 + i)]),
  );
  const gradients = await gradientsOf(model, wrt, at, upstream);
  const differences = await differencesOf(entry, inputs, wrt, at, upstream);
  return wrt.map((v, i) => {
    const { dims, data } = gradients[i]!;
    const difference = differences[i]!;
    const scale = difference.reduce((m, d) => Math.max(m, Math.abs(d)), 1e-3);
    const error = difference.reduce((m, d, k) => Math.max(m, Math.abs(d - data[k]!)), 0) / scale;
    return {
      input: v.name,
      shape: shapeOf(v),
      gradientShape: dims,
      error: data.length === difference.length ? error : Number.NaN,
      gradient: data,
      difference,
    };
  });
}

const isFloat = (v: Value) => v.type?.kind === 'tensor' && v.type.dtype === 'float32';

const cotangent = (n: number, seed: number) => {
  const draw = random(seed);
  return Float64Array.from({ length: n }, () => draw.uniform() * 2 - 1);
};

/** In the form that rules are written for. */
async function typed(text: string): Promise<Model> {
  const model = parseText(text);
  if (model.opsets['']! < 21) {
    await inferTypes(model);
    normalize(model);
  }
  await inferTypes(model);
  return model;
}

async function gradientsOf(
  model: Model,
  wrt: readonly Value[],
  at: Numbers,
  upstream: Numbers,
): Promise<{ dims: readonly number[]; data: number[] }[]> {
  const { graph } = model;
  const inputs = [...graph.inputs];
  const seeds = graph.outputs.filter(isFloat).map((value) => {
    const gradient = new Value(`upstream/${value.name}`, value.type);
    graph.inputs.push(gradient);
    return { value, gradient };
  });
  const gradients = backward(graph, seeds, wrt);
  graph.outputs = [...new Set([...graph.outputs, ...gradients])];
  const session = await openSession(model);
  const results = await session.run({
    ...feedsOf(inputs, at, false),
    ...Object.fromEntries(
      seeds.map((s) => [
        s.gradient.name,
        { dims: shapeOf(s.value), data: Float32Array.from(upstream[s.value.name]!) },
      ]),
    ),
  });
  await session.release();
  return gradients.map((v) => {
    const { dims, data } = results[v.name]!;
    return { dims, data: Array.from(data, Number) };
  });
}

function feedsOf(inputs: readonly Value[], at: Numbers, double: boolean): Record<string, Feed> {
  return Object.fromEntries(
    inputs.map((v) => {
      const dims = shapeOf(v);
      const numbers = at[v.name]!;
      const { dtype } = v.type as { dtype: string };
      if (dtype === 'int64')
        return [v.name, { dims, data: BigInt64Array.from(numbers, BigInt), dtype }];
      if (dtype === 'bool') return [v.name, { dims, data: Uint8Array.from(numbers), dtype }];
      const feed: Feed = double
        ? { dims, data: Float64Array.from(numbers), dtype: 'float64' }
        : { dims, data: Float32Array.from(numbers) };
      return [v.name, feed];
    }),
  );
}

/** Weights of L(x + k·h) in h·dL/dx: two points, or four where rounding forces a long step. */
const SECOND_ORDER = [[1, 1 / 2]] as const;
const FOURTH_ORDER = [
  [1, 2 / 3],
  [2, -1 / 12],
] as const;

async function differencesOf(
  entry: GradientCase,
  inputs: readonly Value[],
  wrt: readonly Value[],
  at: Numbers,
  upstream: Numbers,
): Promise<number[][]> {
  const kind = entry.forward ?? 'double';
  const { step } = FORWARD[kind];
  const text = caseText(entry);
  const session = await openSession(
    parseText(kind === 'double' ? text.replaceAll('float[', 'double[') : text),
    { optimize: 'disabled' },
  );
  const loss = async () => {
    const results = await session.run(feedsOf(inputs, at, kind === 'double'));
    return Object.entries(upstream).reduce(
      (total, [name, c]) =>
        total + c.reduce((sum, w, k) => sum + w * Number(results[name]!.data[k]), 0),
      0,
    );
  };
  const slope = async (numbers: Float64Array, k: number) => {
    const here = numbers[k]!;
    let sum = 0;
    for (const [reach, weight] of kind === 'single' ? FOURTH_ORDER : SECOND_ORDER) {
      numbers[k] = here + reach * step;
      const above = await loss();
      numbers[k] = here - reach * step;
      sum += (weight * (above - (await loss()))) / step;
    }
    numbers[k] = here;
    return sum;
  };
  const differences: number[][] = [];
  for (const v of wrt) {
    const numbers = at[v.name]!;
    const slopes: number[] = [];
    for (const k of numbers.keys()) slopes.push(await slope(numbers, k));
    differences.push(slopes);
  }
  await session.release();
  return differences;
}

/** @file From trained numbers to the constants of the quantized model. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { dtypeKnown, type Graph, type Model, type Value } from '../../onnx/graph.ts';
import { bytesOf, Tensor } from '../../onnx/tensor.ts';
import { floatsOf, makeTensor } from '../../onnx/values.ts';
import { quantizeBias } from '../bias.ts';
import type { Format } from '../formats.ts';
import { codeOf, type FloatForm } from './float-form.ts';
import { RANGE_RATE, type Range } from './insert-fakes.ts';
import type { Sites, WeightSite } from './sites.ts';

/**
 * Fill the constants of `quantized`: scales s₀·exp(rate·θ), codes clip(round(w / s)), biases, and whatever else was trained,
 * by its name.
 *
 * @param form the float form after training, θ of every range among its initializers
 * @param sites, ranges of `quantized`
 * @throws INTERNAL a bias does not fit 32 bits
 */
export function writeBack(
  quantized: Model,
  form: FloatForm,
  { weights }: Sites,
  ranges: readonly Range[],
): void {
  const trained = initializersOf(form.model.graph);
  for (const range of ranges) writeScale(range, trained.get(range.name));
  for (const site of weights) {
    const names = form.names.get(site)!;
    writeWeight(site, floatsOf(trained.get(names.weight)!.constant!));
    if (names.bias !== undefined)
      writeBias(site, floatsOf(trained.get(names.bias)!.constant!), names.bias);
  }
  writeOthers(quantized.graph, trained, form);
}

const initializersOf = ({ initializers }: Graph): Map<string, Value> =>
  new Map(initializers.map((v) => [v.name, v]));

function writeScale({ start, scales }: Range, theta: Value | undefined): void {
  if (!theta) return;
  const moved = floatsOf(theta.constant!);
  const now = floatsOf(start).map((s, i) => s * Math.fround(Math.exp(RANGE_RATE * moved[i]!)));
  for (const scale of scales) scale.constant = Tensor.float32(start.dims, now);
}

function writeWeight({ codes, scale, axis, grid }: WeightSite, w: Float32Array): void {
  const { dims } = codes.constant!;
  const scales = floatsOf(scale.constant!);
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const scaleOf = (i: number) =>
    scales[scales.length === 1 ? 0 : Math.floor(i / inner) % dims[axis]!]!;
  const now = Array.from(w, (x, i) => codeOf(x, scaleOf(i), grid));
  codes.constant = makeTensor(grid.format satisfies Format, dims, now);
}

function writeBias({ bias, scale, inputScale }: WeightSite, b: Float32Array, name: string): void {
  const { value, scale: stored } = bias!;
  if (stored === undefined) {
    value.constant = Tensor.float32(value.constant!.dims, b);
    return;
  }
  const s = inputScale ? floatsOf(inputScale.constant!)[0]! : 1;
  const { codes, scales, saturated } = quantizeBias(b, s, floatsOf(scale.constant!));
  if (saturated.length > 0)
    throw new ServiceError('INTERNAL', {
      what: `the trained bias '${name}' does not fit 32 bits in channel ${saturated[0]}`,
    });
  value.constant = new Tensor('int32', value.constant!.dims, bytesOf(codes));
  stored.constant = Tensor.float32(stored.constant!.dims, scales);
}

/** Layers that stay in float are trained too. */
function writeOthers(graph: Graph, trained: ReadonlyMap<string, Value>, form: FloatForm): void {
  const done = new Set([...form.names.values()].flatMap(({ weight, bias }) => [weight, bias]));
  for (const value of graph.initializers) {
    const now = trained.get(value.name);
    if (!now?.constant || done.has(value.name) || dtypeKnown(now) !== 'float32') continue;
    if (value.constant?.dtype === 'float32') value.constant = now.constant;
  }
}

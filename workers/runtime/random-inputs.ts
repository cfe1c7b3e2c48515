/** @file Inputs to try a model on when there are no images at hand. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { DType } from '../onnx/dtype.ts';
import type { Dim, Model, Value } from '../onnx/graph.ts';
import { isNumeric, makeTensor, numberToHalf, valuesOf } from '../onnx/values.ts';
import { type Random, random } from './random.ts';
import type { Feed } from './session.ts';

/** Sizes for axes that a model leaves open. */
export interface OpenSizes {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/** Multiples of 32 and of 7, as most networks ask. */
const OPEN: OpenSizes = { batch: 1, height: 224, width: 224 };

/** Control points of a random picture along each side. */
const KNOTS = 9;

/**
 * Seeded feeds for every input that has no default. Open axes of pictures become batch, height and width of `open`
 * (1, 224, 224), other open axes the batch; pictures
 * (float [N, C, H, W] or [N, H, W, C]) are smooth and lie in 0…1 with a little noise, other floats are normal.
 *
 * @throws SHAPE_UNKNOWN an input says nothing of its rank
 */
export function randomInputs(model: Model, seed: number, open = OPEN): Record<string, Feed> {
  const rng = random(seed);
  return Object.fromEntries(
    model.graph.inputs.filter((v) => !v.constant).map((v) => [v.name, randomInput(v, rng, open)]),
  );
}

function randomInput(value: Value, rng: Random, open: OpenSizes): Feed {
  const type = value.type;
  if (type?.kind !== 'tensor' || !type.shape)
    throw new ServiceError('SHAPE_UNKNOWN', { value: value.name, shape: 'no shape is declared' });
  const dims = closed(type.shape, open);
  return { dtype: type.dtype, dims, data: fill(type.dtype, dims, rng) };
}

/** Sizes for the dimensions that a model leaves open. */
export function closed(shape: readonly Dim[], open = OPEN): number[] {
  const channels = channelAxis(shape);
  return shape.map((d, axis) => {
    if (typeof d === 'number' && d >= 0) return d;
    if (channels === undefined || axis === 0) return open.batch;
    if (axis === channels) return 3;
    return axis === (channels === 1 ? 2 : 1) ? open.height : open.width;
  });
}

/** Axis of the colour channels of a picture; undefined: the tensor is none. */
function channelAxis(shape: readonly Dim[]): number | undefined {
  if (shape.length !== 4) return undefined;
  const few = (d: Dim | undefined) => typeof d === 'number' && d <= 4;
  if (few(shape[1])) return 1;
  if (few(shape[3])) return 3;
  return typeof shape[1] === 'number' ? undefined : 1;
}

function fill(dtype: DType, dims: readonly number[], rng: Random): Feed['data'] {
  const size = dims.reduce((n, d) => n * d, 1);
  if (/float/.test(dtype)) {
    const axis = channelAxis(dims);
    const numbers =
      axis === undefined
        ? Float64Array.from({ length: size }, rng.normal)
        : picture(dims, axis, rng);
    if (dtype === 'float16') return Uint16Array.from(numbers, numberToHalf);
    if (isNumeric(dtype)) return valuesOf(makeTensor(dtype, dims, numbers));
  }
  if (!isNumeric(dtype))
    throw new ServiceError('MODEL_CANNOT_RUN', { why: `an input of type ${dtype} cannot be fed` });
  const top = dtype === 'bool' ? 2 : /^u?int8$/.test(dtype) ? 128 : 2;
  return valuesOf(
    makeTensor(
      dtype,
      dims,
      Array.from({ length: size }, () => rng.below(top)),
    ),
  );
}

/** Bilinear surfaces over random knots, one per channel, and noise of 2 %. */
function picture(dims: readonly number[], axis: number, rng: Random): Float64Array {
  const [height, width] = axis === 1 ? [dims[2]!, dims[3]!] : [dims[1]!, dims[2]!];
  const channels = dims[axis]!;
  const out = new Float64Array(dims.reduce((n, d) => n * d, 1));
  for (let plane = 0; plane < dims[0]! * channels; plane++) {
    const knots = Float64Array.from({ length: KNOTS * KNOTS }, rng.uniform);
    const [n, c] = [Math.floor(plane / channels), plane % channels];
    for (let p = 0; p < height * width; p++) {
      const [y, x] = [Math.floor(p / width) / height, (p % width) / width];
      const at = axis === 1 ? plane * height * width + p : (n * height * width + p) * channels + c;
      out[at] = 0.98 * surface(knots, y, x) + 0.02 * rng.uniform();
    }
  }
  return out;
}

/** Value at (y, x), both 0…1, of the bilinear surface over a KNOTS × KNOTS grid. */
function surface(knots: Float64Array, y: number, x: number): number {
  const [v, u] = [y * (KNOTS - 1), x * (KNOTS - 1)];
  const [i, j] = [Math.floor(v), Math.floor(u)];
  const [b, a] = [v - i, u - j];
  const at = i * KNOTS + j;
  const top = knots[at]! * (1 - a) + knots[at + 1]! * a;
  const bottom = knots[at + KNOTS]! * (1 - a) + knots[at + KNOTS + 1]! * a;
  return top * (1 - b) + bottom * b;
}

/** @file From a sample to what a model's image input takes, and from what it returns to float32. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { Sample } from '../data/dataset.ts';
import type { Geometry } from '../data/geometry.ts';
import { loadInput } from '../data/input.ts';
import { ahead } from '../data/parallel.ts';
import type { Feed, HostTensor } from '../runtime/session.ts';
import type { ModelInput } from './model-input.ts';
import type { Plane, TaskBinding } from './task.ts';

export interface SampleFeed {
  readonly sample: Sample;
  readonly feeds: Readonly<Record<string, Feed>>;
  readonly geometry: Geometry;
}

/** Images read and decoded while the runtime is busy with the one before. */
const DECODED_AHEAD = 4;

/** Samples in order, each as feeds for one run: a few are decoded ahead of the reader. */
export const sampleFeeds = (
  samples: readonly Sample[],
  binding: TaskBinding,
): AsyncGenerator<SampleFeed> => ahead(samples, DECODED_AHEAD, (s) => sampleFeed(s, binding));

/** The feeds alone. */
export async function* feedsOf(
  samples: readonly Sample[],
  binding: TaskBinding,
): AsyncGenerator<SampleFeed['feeds']> {
  for await (const { feeds } of sampleFeeds(samples, binding)) yield feeds;
}

/**
 * A sample as feeds for one run: decoded, placed, normalised, in the input's layout, type and batch.
 *
 * @throws IMAGE_UNREADABLE · TASK_DOES_NOT_FIT the model takes no image
 */
export async function sampleFeed(sample: Sample, binding: TaskBinding): Promise<SampleFeed> {
  const { input, preprocess } = binding;
  if (input === undefined)
    throw new ServiceError('TASK_DOES_NOT_FIT', {
      task: binding.task,
      why: `it cannot be run on images (${binding.description})`,
    });
  const image = await loadInput(sample, preprocess, input.size, input.channels);
  return {
    sample,
    feeds: { [input.name]: imageFeed(image.data, input) },
    geometry: image.geometry,
  };
}

/** @param planes channels × height × width numbers of one image */
export function imageFeed(planes: Float32Array, input: ModelInput): Feed {
  const { batch, channels, layout, size, dtype } = input;
  const one = layout === 'NCHW' ? planes : interleaved(planes, channels);
  const all = batch === 1 ? one : repeated(one, batch);
  const dims = layout === 'NCHW' ? [batch, channels, ...size] : [batch, ...size, channels];
  return { dims, dtype, data: inType(all, dtype) };
}

/** channels × pixels to pixels × channels. */
export function interleaved(planes: Float32Array, channels: number): Float32Array {
  const area = planes.length / channels;
  const result = new Float32Array(planes.length);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < area; i++) result[i * channels + c] = planes[c * area + i]!;
  return result;
}

function repeated(one: Float32Array, times: number): Float32Array {
  const all = new Float32Array(one.length * times);
  for (let i = 0; i < times; i++) all.set(one, i * one.length);
  return all;
}

function inType(values: Float32Array, dtype: ModelInput['dtype']): Feed['data'] {
  if (dtype === 'float16') return halfBits(values);
  if (dtype === 'float64') return Float64Array.from(values);
  if (dtype === 'uint8') return new Uint8Array(Uint8ClampedArray.from(values));
  if (dtype === 'int8')
    return Int8Array.from(values, (v) => Math.max(-128, Math.min(127, Math.round(v))));
  return values;
}

/** Float16Array of ES2025: Node 24 has it, TypeScript's es2024 library does not. */
const Half = (globalThis as unknown as { Float16Array: Float32ArrayConstructor }).Float16Array;

function halfBits(values: Float32Array): Uint16Array<ArrayBuffer> {
  const half = new Half(values);
  return new Uint16Array(half.buffer as ArrayBuffer, half.byteOffset, half.length);
}

/** An output as float32, whatever its type: float16 and double rounded, integers and booleans as numbers. */
export function toPlane({ dims, data, dtype }: HostTensor): Plane {
  if (data instanceof Float32Array) return { dims, data };
  const source: ArrayLike<number | bigint> =
    dtype === 'float16' && data instanceof Uint16Array
      ? new Half(data.buffer as ArrayBuffer, data.byteOffset, data.length)
      : data;
  return { dims, data: Float32Array.from(source as ArrayLike<number>, Number) };
}

export const toPlanes = (
  outputs: Readonly<Record<string, HostTensor>>,
): Readonly<Record<string, Plane>> =>
  Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, toPlane(tensor)]));

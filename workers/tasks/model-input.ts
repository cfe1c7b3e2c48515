/** @file Which input of a model takes the image, and in what form. */

import type { DType } from '../onnx/dtype.ts';
import type { Dim, Model, Value } from '../onnx/graph.ts';
import { imageSizeOf } from './metadata.ts';

export interface ModelInput {
  readonly name: string;
  readonly dtype: DType;
  readonly layout: 'NCHW' | 'NHWC';
  readonly channels: 1 | 3;
  /** Images that one run takes: a fixed batch is filled with copies of one image. */
  readonly batch: number;
  /** [height, width]. */
  readonly size: readonly [number, number];
  /** In words, where the file does not fix an axis; '' where all are fixed. */
  readonly note: string;
}

/** Shape of the input with `batch` images. */
export const shapeAt = (
  { layout, channels, size }: ModelInput,
  batch: number,
): readonly number[] =>
  layout === 'NCHW' ? [batch, channels, ...size] : [batch, ...size, channels];

const TYPES: ReadonlySet<string> = new Set(['float32', 'float16', 'float64', 'uint8', 'int8']);

/**
 * The model's image input: its only input without a default, of rank 4, with 1 or 3 channels.
 *
 * @param defaultSize side to use where height or width are dynamic and the metadata has no imgsz
 * @returns why there is none, in words, where there is none
 */
export function imageInput(model: Model, defaultSize: number): ModelInput | string {
  const inputs = model.graph.inputs.filter((v) => v.constant === undefined);
  const [input] = inputs;
  if (input === undefined) return 'it has no input';
  if (inputs.length > 1)
    return `it has ${inputs.length} inputs (${inputs.map((v) => v.name).join(', ')}); an image model has one`;
  if (input.type?.kind !== 'tensor' || input.type.shape?.length !== 4)
    return `its input '${input.name}' is ${shapeText(input)}; an image input has four axes`;
  const { dtype, shape } = input.type;
  if (!TYPES.has(dtype)) return `its input '${input.name}' has elements of type ${dtype}`;
  const [n, a, b, c] = shape as readonly [Dim, Dim, Dim, Dim];
  const first = isChannels(a) || (!isChannels(c) && typeof a !== 'number');
  if (!first && !isChannels(c))
    return `its input '${input.name}' is ${shapeText(input)}; 1 or 3 channels are supported`;
  const channels = first ? a : c;
  const spatial: readonly [Dim, Dim] = first ? [b, c] : [a, b];
  const declared = imageSizeOf(model) ?? [defaultSize, defaultSize];
  return {
    name: input.name,
    dtype,
    layout: first ? 'NCHW' : 'NHWC',
    channels: channels === 1 ? 1 : 3,
    batch: fixed(n) ?? 1,
    size: [fixed(spatial[0]) ?? declared[0], fixed(spatial[1]) ?? declared[1]],
    note: dynamicNote(model, spatial, declared),
  };
}

const isChannels = (d: Dim): boolean => d === 1 || d === 3;
const fixed = (d: Dim): number | undefined => (typeof d === 'number' && d > 0 ? d : undefined);

function dynamicNote(
  model: Model,
  spatial: readonly Dim[],
  [h, w]: readonly [number, number],
): string {
  if (spatial.every((d) => fixed(d) !== undefined)) return '';
  const source = imageSizeOf(model) === undefined ? 'the default' : 'its metadata';
  return `height and width are dynamic: ${h} × ${w} (${source}) is used`;
}

export function shapeText(value: Value): string {
  if (value.type?.kind !== 'tensor') return 'of no known type';
  const { dtype, shape } = value.type;
  return `${dtype}[${shape?.map((d) => d ?? '?').join(', ') ?? '?'}]`;
}

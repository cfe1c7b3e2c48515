/** @file A model and a data set that are small enough for a job of a second: which of three colours is an image? */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { float, int, ints } from '../../../workers/onnx/attributes.ts';
import { type Attribute, type Model, type Node, Value } from '../../../workers/onnx/graph.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { plainImage } from '../../helpers/image-folder.ts';

export const COLOURS = ['blue', 'green', 'red'] as const;
const CHANNELS = 8;
const SIDE = 32;

const shaped = (name: string, shape: readonly number[]) =>
  new Value(name, { kind: 'tensor', dtype: 'float32', shape: [...shape] });

const constant = (name: string, dims: readonly number[], value: (i: number) => number) => {
  const size = dims.reduce((n, d) => n * d, 1);
  const tensor = Tensor.float32(
    dims,
    Float32Array.from({ length: size }, (_, i) => value(i)),
  );
  return new Value(name, undefined, tensor);
};

const node = (
  op: string,
  inputs: (Value | undefined)[],
  output: Value,
  attributes: Record<string, Attribute> = {},
): Node => ({ name: output.name, op, domain: '', inputs, outputs: [output], attributes });

/** A little of everything, and nothing at random: filter c sees channel c mod 3. */
function layers() {
  const images = shaped('images', [1, 3, SIDE, SIDE]);
  const scores = shaped('scores', [1, COLOURS.length]);
  const w1 = constant('w1', [CHANNELS, 3, 3, 3], (i) => {
    const [filter, channel] = [Math.floor(i / 27), Math.floor(i / 9) % 3];
    return (filter % 3 === channel ? 0.1 : -0.05) + 0.01 * Math.sin(i);
  });
  const b1 = constant('b1', [CHANNELS], (i) => 0.05 * i);
  const scale = constant('scale', [CHANNELS], (i) => 1 + 0.02 * i);
  const shift = constant('shift', [CHANNELS], (i) => 0.01 * i);
  const mean = constant('mean', [CHANNELS], () => 0.1);
  const variance = constant('variance', [CHANNELS], () => 1);
  const w2 = constant('w2', [COLOURS.length, CHANNELS, 1, 1], (i) => {
    const [colour, filter] = [Math.floor(i / CHANNELS), i % CHANNELS];
    return filter % 3 === 2 - colour ? 1 : -0.3;
  });
  return { images, scores, w1, b1, scale, shift, mean, variance, w2 };
}

/** Conv → BatchNormalization → Relu → Identity → GlobalAveragePool → Conv → Flatten, opset 17. */
export function tinyModel(): Model {
  const v = layers();
  const [a, b, c, d, e, f] = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => new Value(name));
  const conv = { kernel_shape: ints([3, 3]), strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) };
  const norm = [a!, v.scale, v.shift, v.mean, v.variance];
  return {
    irVersion: 8,
    opsets: { '': 17 },
    producer: { name: 'test', version: '1' },
    domain: '',
    modelVersion: 1,
    doc: '',
    metadata: { names: JSON.stringify(COLOURS), made: 'for tests' },
    functions: [],
    graph: {
      name: 'colours',
      inputs: [v.images],
      outputs: [v.scores],
      nodes: [
        node('Conv', [v.images, v.w1, v.b1], a!, conv),
        node('BatchNormalization', norm, b!, { epsilon: float(1e-5) }),
        node('Relu', [b!], c!),
        node('Identity', [c!], d!),
        node('GlobalAveragePool', [d!], e!),
        node('Conv', [e!, v.w2], f!),
        node('Flatten', [f!], v.scores, { axis: int(1) }),
      ],
      initializers: [v.w1, v.b1, v.scale, v.shift, v.mean, v.variance, v.w2],
    },
  };
}

export const tinyBytes = () => writeModel(tinyModel());

/** Class folders `train` and `val`. @param images per class in train; a third as many in val @param size width, height */
export async function colourFolder(
  root: string,
  images = 6,
  size: readonly [number, number] = [48, 40],
): Promise<string> {
  for (const [split, count] of [
    ['train', images],
    ['val', Math.ceil(images / 3)],
  ] as const) {
    for (const [index, colour] of COLOURS.entries()) {
      const folder = join(root, split, colour);
      await mkdir(folder, { recursive: true });
      for (let i = 0; i < count; i++)
        await writeFile(join(folder, `${i}.png`), await shade(index, i, split, size));
    }
  }
  return root;
}

function shade(
  colour: number,
  i: number,
  split: string,
  size: readonly [number, number],
): Promise<Buffer> {
  const strong = 250 - 7 * i - (split === 'val' ? 3 : 0);
  const weak = 30 + 5 * i;
  const [b, g, r] = COLOURS.map((_, c) => (c === colour ? strong : weak));
  return plainImage('png', size, { r: r!, g: g!, b: b! });
}

/** @file Small graphs over the ops that detectors, classifiers and their training are made of, to compare a provider with the CPU. */

import { int, ints, string } from '../onnx/attributes.ts';
import { type Attribute, emptyModel, type Graph, type Model, Value } from '../onnx/graph.ts';
import { Tensor } from '../onnx/tensor.ts';
import { gradientProbe } from './gradient-probe.ts';
import { random } from './random.ts';
import { randomInputs } from './random-inputs.ts';
import type { Feed } from './session.ts';

export interface ProbeCase {
  readonly name: string;
  readonly model: Model;
  readonly feeds: Readonly<Record<string, Feed>>;
}

/** The cases, made anew each time from a fixed seed. */
export function probeCases(): ProbeCase[] {
  const drawn = Object.entries({ convolution, attention, decoding }).map(([name, draw]) => {
    const sketch = new Sketch();
    draw(sketch);
    return { name, model: sketch.model() };
  });
  const cases = [...drawn, { name: 'gradients', model: gradientProbe() }];
  return cases.map(({ name, model }) => ({ name, model, feeds: randomInputs(model, 7) }));
}

/** Just enough of a builder for the probes. */
class Sketch {
  readonly #graph: Graph = { name: 'probe', inputs: [], outputs: [], nodes: [], initializers: [] };
  readonly #rng = random(3);

  input(shape: number[]): Value {
    const value = new Value('x', { kind: 'tensor', dtype: 'float32', shape });
    this.#graph.inputs.push(value);
    return value;
  }

  weight(dims: number[]): Value {
    const size = dims.reduce((n, d) => n * d, 1);
    const scale = 1 / Math.sqrt(size / dims[0]!);
    const data = Float32Array.from({ length: size }, () => this.#rng.normal() * scale);
    return this.#constant(Tensor.float32(dims, data));
  }

  shape(data: number[]): Value {
    return this.#constant(Tensor.int64([data.length], data));
  }

  scales(data: number[]): Value {
    return this.#constant(Tensor.float32([data.length], data));
  }

  #constant(tensor: Tensor): Value {
    const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
    const value = new Value(`c${this.#graph.initializers.length}`, type, tensor);
    this.#graph.initializers.push(value);
    return value;
  }

  op(
    op: string,
    inputs: (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
    count = 1,
  ): Value[] {
    const outputs = Array.from(
      { length: count },
      (_, i) => new Value(`n${this.#graph.nodes.length}_${i}`),
    );
    this.#graph.nodes.push({ name: '', op, domain: '', inputs, outputs, attributes });
    return outputs;
  }

  output(value: Value): void {
    this.#graph.outputs.push(value);
  }

  model(): Model {
    return { ...emptyModel(8, 17), producer: { name: 'lathe', version: '' }, graph: this.#graph };
  }
}

/** Strided and depth-wise Conv, SiLU, pooling, resizing, joining. */
function convolution(s: Sketch): void {
  const x = s.input([1, 3, 32, 32]);
  const pads = ints([1, 1, 1, 1]);
  const [a] = s.op('Conv', [x, s.weight([8, 3, 3, 3]), s.weight([8])], {
    pads,
    strides: ints([2, 2]),
  });
  const [gate] = s.op('Sigmoid', [a]);
  const [b] = s.op('Mul', [a, gate]);
  const [c] = s.op('Conv', [b, s.weight([8, 1, 3, 3])], { pads, group: int(8) });
  const [d] = s.op('MaxPool', [c], { kernel_shape: ints([3, 3]), pads, strides: ints([2, 2]) });
  const [e] = s.op('Resize', [d, undefined, s.scales([1, 1, 2, 2])], {
    mode: string('nearest'),
    coordinate_transformation_mode: string('asymmetric'),
    nearest_mode: string('floor'),
  });
  const [f] = s.op('Concat', [b, e], { axis: int(1) });
  const [y] = s.op('GlobalAveragePool', [f]);
  s.output(f!);
  s.output(y!);
}

/** Products of activations, Softmax, reshapes. */
function attention(s: Sketch): void {
  const x = s.input([1, 16, 24]);
  const [q] = s.op('MatMul', [x, s.weight([24, 24])]);
  const [k] = s.op('MatMul', [x, s.weight([24, 24])]);
  const [t] = s.op('Transpose', [k], { perm: ints([0, 2, 1]) });
  const [scores] = s.op('MatMul', [q, t]);
  const [weights] = s.op('Softmax', [scores], { axis: int(-1) });
  const [mixed] = s.op('MatMul', [weights, x]);
  const [y] = s.op('Reshape', [mixed, s.shape([1, 4, 4, 24])]);
  s.output(y!);
}

/** Splitting, slicing and joining, as box decoding does. */
function decoding(s: Sketch): void {
  const x = s.input([1, 20, 50]);
  const [boxes, classes] = s.op('Split', [x, s.shape([16, 4])], { axis: int(1) }, 2);
  const [bins] = s.op('Reshape', [boxes, s.shape([1, 4, 4, 50])]);
  const [soft] = s.op('Softmax', [bins], { axis: int(2) });
  const [sum] = s.op('ReduceMean', [soft], { axes: ints([2]), keepdims: int(0) });
  const [near] = s.op('Slice', [sum, s.shape([0]), s.shape([2]), s.shape([1])]);
  const [far] = s.op('Slice', [sum, s.shape([2]), s.shape([4]), s.shape([1])]);
  const [width] = s.op('Sub', [far, near]);
  const [score] = s.op('Sigmoid', [classes]);
  const [y] = s.op('Concat', [near, width, score], { axis: int(1) });
  s.output(y!);
}

/** @file Gradients of random combinations of the outputs: they need no labels and no loss. */

import { findDecodeTail } from '../../../onnx/decode-tail.ts';
import { type Graph, Value } from '../../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../../onnx/static-shapes.ts';
import { GraphIndex } from '../../../onnx/uses.ts';
import { type Random, random } from '../../../runtime/random.ts';
import type { Feed } from '../../../runtime/session.ts';
import type { GradientSource } from './source.ts';

export interface CotangentOptions {
  readonly seed: number;
  /** Random draws per image, one run each; default 1. */
  readonly draws?: number;
  /**
   * `layers`: at the outputs of the last trained layers, so that decoding (NMS, anchors) need not be differentiable;
   * `outputs`: at the graph's own outputs. Default `layers`.
   */
  readonly at?: 'layers' | 'outputs';
}

/**
 * L = Σ v·y with v ~ N(0, 1): over many draws the mean square of ∂L/∂x is the squared Jacobian of all outputs, so a gate scores
 * by how far it moves any of them.
 */
export function cotangents({ seed, draws = 1, at = 'layers' }: CotangentOptions): GradientSource {
  return {
    build(g, { graph }) {
      const rng = random(seed);
      const seeds = cotangentTargets(graph, at).map((value) => {
        const gradient = new Value(g.name(`cotangent/${value.name}`), value.type);
        graph.inputs.push(gradient);
        return { value, gradient };
      });
      return {
        seeds,
        stop: new Set(),
        *runs() {
          for (let draw = 0; draw < draws; draw++)
            yield Object.fromEntries(
              seeds.map(({ gradient }) => [gradient.name, normals(shapeOf(gradient), rng)]),
            );
        },
      };
    },
  };
}

/** Float tensors at which cotangents arrive. */
export function cotangentTargets(graph: Graph, at: 'layers' | 'outputs'): Value[] {
  const isFloat = (v: Value) => v.type?.kind === 'tensor' && v.type.dtype === 'float32';
  const outputs = graph.outputs.filter(isFloat);
  if (at === 'outputs') return outputs;
  const { layers } = findDecodeTail(graph, graph.outputs, new GraphIndex(graph));
  const last = [...new Set(layers)].flatMap(({ outputs: [y] }) => (y && isFloat(y) ? [y] : []));
  return last.length > 0 ? last : outputs;
}

function normals(dims: readonly number[], rng: Random): Feed {
  return { dims, data: Float32Array.from({ length: sizeOf(dims) }, rng.normal) };
}

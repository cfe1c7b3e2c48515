/** @file One form of one op, as a graph of a few nodes. */

import { type Random, random } from '../../../workers/runtime/random.ts';

/** Numbers for an input: given, or spread over a range. */
export type Values = readonly number[] | { readonly from: number; readonly to: number };

/** How the forward graph is differenced. */
export const FORWARD = {
  /** In float64, which onnxruntime's CPU kernels have for most ops. */
  double: { step: 1e-5, tolerance: 3e-5 },
  /** In float32, fourth order, for the ops that have no float64 kernel. */
  single: { step: 0.02, tolerance: 1e-3 },
  /** In float32, second order, for those that have kinks at places that are not known. */
  kinked: { step: 1e-3, tolerance: 1e-2 },
  /** In float32 for ops that are linear in each input: a long step has no error but rounding. */
  linear: { step: 0.5, tolerance: 3e-5 },
} as const;

export interface GradientCase {
  /** Typed, as in the text form: `float[2,3] x, int64[2] i`. Every float input is differentiated. */
  readonly inputs: string;
  /** Nodes that make the outputs. */
  readonly nodes: string;
  /** Default `y`. */
  readonly outputs?: string;
  readonly constants?: string;
  /** Of ai.onnx; default 21. */
  readonly opset?: number;
  /** By input; default spread over −2…2, no two alike. */
  readonly values?: Readonly<Record<string, Values>>;
  readonly forward?: keyof typeof FORWARD;
}

export const caseText = ({ inputs, nodes, outputs = 'y', constants, opset = 21 }: GradientCase) =>
  `<ir_version: ${opset < 21 ? 8 : 10}, opset_import: ["": ${opset}, "com.microsoft": 1]>
  (${inputs}) => (${outputs}) ${constants ? `<${constants}>` : ''} { ${nodes} }`;

/** No two alike and none on a kink that is a round number: shuffled, with equal gaps. */
export function spread(n: number, from: number, to: number, draw: Random): number[] {
  const gap = (to - from) / n;
  const values = Array.from({ length: n }, (_, i) => from + (i + 0.42) * gap);
  for (let i = n - 1; i > 0; i--) {
    const j = draw.below(i + 1);
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return values;
}

/** Row-major numbers of one input. */
export function numbersFor(given: Values | undefined, n: number, seed: number): number[] {
  if (Array.isArray(given)) return [...given];
  const { from, to } = (given as { from: number; to: number } | undefined) ?? { from: -2, to: 2 };
  return spread(n, from, to, random(seed));
}

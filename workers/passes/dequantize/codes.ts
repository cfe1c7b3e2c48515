/** @file Integer codes and the numbers that they stand for. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { type Node, nodeLabel, type Value } from '../../onnx/graph.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { numbersOf } from '../../onnx/values.ts';

/** y = (q − zero)·scale, with one pair for all or one for each index along `axis`. */
export interface Coding {
  readonly scales: readonly number[];
  readonly zeros: readonly number[];
  readonly axis: number;
}

export function refuse(node: Node, why: string): never {
  throw new ServiceError('MODEL_NOT_DEQUANTIZABLE', { node: nodeLabel(node), why });
}

/** @throws MODEL_NOT_DEQUANTIZABLE the scale is computed at run time */
export function codingOf(
  node: Node,
  scale: Value | undefined,
  zero: Value | undefined,
  axis: number,
): Coding {
  if (!scale?.constant) refuse(node, 'its scale is computed at run time');
  if (zero && !zero.constant) refuse(node, 'its zero point is computed at run time');
  const scales = numbersOf(scale.constant);
  const zeros = zero?.constant ? numbersOf(zero.constant) : [];
  return { scales, zeros: scales.map((_, i) => zeros[i] ?? zeros[0] ?? 0), axis };
}

export const sameCoding = (a: Coding, b: Coding): boolean =>
  `${a.scales}|${a.zeros}` === `${b.scales}|${b.zeros}`;

/** The products are those of float32, as runtimes compute them. */
export function numbersFor(codes: Tensor, { scales, zeros, axis }: Coding): Tensor {
  const { dims } = codes;
  const at = axis < 0 ? axis + dims.length : axis;
  const inner = dims.slice(at + 1).reduce((n, d) => n * d, 1);
  const channel = (i: number) => (scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length);
  const values = numbersOf(codes).map((q, i) => (q - zeros[channel(i)]!) * scales[channel(i)]!);
  return Tensor.float32(dims, Float32Array.from(values));
}

const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  uint8: [0, 255],
  int8: [-128, 127],
  uint16: [0, 65535],
  int16: [-32768, 32767],
};

/**
 * The range of a coding whose lowest code stands for 0: a rectifier may live in it alone. Undefined for others.
 */
export function rectifying(
  { scales, zeros }: Coding,
  zero: Value | undefined,
): readonly [low: number, high: number] | undefined {
  const [low, high] = LIMITS[zero?.constant?.dtype ?? 'uint8'] ?? [0, 0];
  if (scales.length !== 1 || zeros[0] !== low || low === high) return undefined;
  return [0, (high - low) * scales[0]!];
}

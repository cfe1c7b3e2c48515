/** @file Static shapes of values: gradients are built for known sizes only. */

import { ServiceError } from '../../src/contract/errors.ts';
import type { DType } from './dtype.ts';
import { shapeKnown, type Value } from './graph.ts';

export type Shape = readonly number[];

/** @throws SHAPE_UNKNOWN a dimension is symbolic or missing */
export function shapeOf(value: Value): Shape {
  const shape = shapeKnown(value);
  if (shape?.every((d) => typeof d === 'number')) return shape as Shape;
  throw new ServiceError('SHAPE_UNKNOWN', {
    value: value.name,
    shape: shape ? `[${shape.map((d) => d ?? '?').join(', ')}]` : 'unknown',
  });
}

/** Whether every dimension is a number. */
export const isStatic = (value: Value): boolean =>
  shapeKnown(value)?.every((d) => typeof d === 'number') === true;

export function dtypeOf(value: Value): DType {
  if (value.type?.kind === 'tensor') return value.type.dtype;
  throw new ServiceError('SHAPE_UNKNOWN', { value: value.name, shape: 'not a tensor' });
}

export const sizeOf = (shape: Shape): number => shape.reduce((n, d) => n * d, 1);

/** Shape of an elementwise result, by ONNX's (NumPy's) rule: align right, 1 stretches. */
export function broadcast(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    return x === 1 ? y : x;
  });
}

/** Negative axes count from the end. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** 0 … n − 1. */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

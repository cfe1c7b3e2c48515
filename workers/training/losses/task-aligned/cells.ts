/** @file The cells of all levels in a row: centres and strides, as constants [1, 1, A]. */

import type { GraphBuilder } from '../../../onnx/builder.ts';
import type { Value } from '../../../onnx/graph.ts';
import { shapeOf } from '../../../onnx/static-shapes.ts';
import type { RawMaps } from './raw-maps.ts';

export interface Cells {
  /** Centre in cells: column + ½, row + ½. */
  readonly x: Value;
  readonly y: Value;
  /** Input pixels per cell. */
  readonly stride: Value;
}

/** Level by level, row-major. */
export function cells(g: GraphBuilder, { levels }: RawMaps): Cells {
  const [xs, ys, strides]: number[][] = [[], [], []];
  for (const { box, stride } of levels) {
    const [, , rows, columns] = shapeOf(box) as readonly [number, number, number, number];
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        xs!.push(column + 0.5);
        ys!.push(row + 0.5);
        strides!.push(stride);
      }
  }
  const constant = (data: number[]) => g.floats([1, 1, data.length], data, levels[0]!.box);
  return { x: constant(xs!), y: constant(ys!), stride: constant(strides!) };
}

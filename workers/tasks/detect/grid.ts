/** @file YOLOX boxes: relative to the cell that predicts them. */

import { ServiceError } from '../../../src/contract/errors.ts';

/** Strides of the levels that a head may have, from the finest. */
const STRIDES: readonly (readonly number[])[] = [
  [8, 16, 32],
  [8, 16, 32, 64],
  [4, 8, 16, 32],
  [16, 32],
  [8, 16],
  [8],
  [16],
  [32],
];

/**
 *     cx = (x + column) · s    cy = (y + row) · s    w = eʷ · s    h = eʰ · s
 *
 * for candidates level by level from the finest stride s, each level row-major (Ge 2021, YOLOX). The strides are those
 * whose cells add up to `count`.
 *
 * @param input [height, width] of the model input
 * @throws TASK_DOES_NOT_FIT no known set of strides has `count` cells
 */
export function gridDecoder(
  count: number,
  [height, width]: readonly [number, number],
): (candidate: number, box: readonly number[]) => readonly number[] {
  const cells = (s: number) => Math.floor(height / s) * Math.floor(width / s);
  const strides = STRIDES.find((set) => set.reduce((n, s) => n + cells(s), 0) === count);
  if (strides === undefined)
    throw new ServiceError('TASK_DOES_NOT_FIT', {
      task: 'detect',
      why: `${count} candidates do not come from strides 8, 16, 32 on an input of ${height} × ${width}`,
    });
  const places = new Float32Array(count * 3);
  let i = 0;
  for (const s of strides)
    for (let row = 0; row < Math.floor(height / s); row++)
      for (let column = 0; column < Math.floor(width / s); column++)
        places.set([column, row, s], 3 * i++);
  return (a, [x, y, w, h]) => {
    const [column, row, s] = [places[3 * a]!, places[3 * a + 1]!, places[3 * a + 2]!];
    return [(x! + column) * s, (y! + row) * s, Math.exp(w!) * s, Math.exp(h!) * s];
  };
}

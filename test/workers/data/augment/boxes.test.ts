import { expect, test } from 'vitest';

import { placedBoxes } from '../../../../workers/data/augment/boxes.ts';
import { EVERYWHERE } from '../../../../workers/data/augment/placement.ts';
import type { Corners } from '../../../../workers/data/geometry.ts';
import type { Row } from '../../../../workers/data/labels.ts';

const IMAGE = { width: 100, height: 50 };
const CANVAS = { width: 100, height: 100 };
const axis = (scale: number, shift: number) => ({ scale, shift });

/** x 40 to 60, y 10 to 30 of the image. */
const ROW: Row = [7, 0.5, 0.4, 0.2, 0.4];

test.each<[string, [number, number], [number, number], Corners, Corners | undefined]>([
  ['as it is', [1, 0], [1, 0], EVERYWHERE, [40, 10, 60, 30]],
  ['moved', [1, 5], [1, 50], EVERYWHERE, [45, 60, 65, 80]],
  ['scaled', [0.5, 0], [2, 0], EVERYWHERE, [20, 20, 30, 60]],
  ['mirrored: left stays left of right', [-1, 100], [-1, 50], EVERYWHERE, [40, 20, 60, 40]],
  ['cut at the canvas', [1, -50], [1, 0], EVERYWHERE, [0, 10, 10, 30]],
  ['cut at its window', [1, 0], [1, 0], [0, 0, 100, 25], [40, 10, 60, 25]],
  ['10.2 % is left', [1, -53.6], [1, -23.6], EVERYWHERE, [0, 0, 6.4, 6.4]],
  ['9 % is left', [1, -54], [1, -24], EVERYWHERE, undefined],
  ['outside the canvas', [1, -60], [1, 0], EVERYWHERE, undefined],
  ['outside its window', [1, 0], [1, 0], [60, 0, 100, 100], undefined],
  ['two pixels wide', [0.1, 0], [1, 0], EVERYWHERE, [4, 10, 6, 30]],
  ['less than two pixels wide', [0.09, 0], [1, 0], EVERYWHERE, undefined],
  ['less than two pixels high', [1, 0], [0.09, 0], EVERYWHERE, undefined],
])('%s', (_, x, y, window, expected) => {
  const place = { x: axis(...x), y: axis(...y), window };
  const boxes = placedBoxes([ROW], IMAGE, place, CANVAS);

  expect(boxes.map((b) => b.class)).toEqual(expected ? [7] : []);
  for (const [i, value] of (expected ?? []).entries())
    expect(boxes[0]!.corners[i]).toBeCloseTo(value, 9);
});

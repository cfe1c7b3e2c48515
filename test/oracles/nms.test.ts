/** @file Suppression against torchvision's: the same boxes, in the same order. */

import { expect, test } from 'vitest';

import { nms } from '../../workers/tasks/detect/nms.ts';
import { NO_SHARED_DATA, oracleCases } from '../helpers/shared-data.ts';

interface Numbers {
  readonly data: ArrayLike<number>;
}

const cases = oracleCases('nms');
if (cases.length === 0) test.skip(`nms: ${NO_SHARED_DATA}`, () => {});

test.each(cases.map((c) => [c.name, c.data] as const))('nms %s', (_, data) => {
  const numbers = (name: string) => (data[name] as Numbers).data;

  const kept = nms(
    {
      boxes: Float32Array.from(numbers('boxes')),
      scores: Float32Array.from(numbers('scores')),
      classes: Int32Array.from(numbers('classes')),
    },
    data['iou_threshold'] as number,
  );

  expect(kept).toEqual(Array.from(numbers('kept')));
});

/** @file Boxes that only one of two models found. */

import { expect, test } from 'vitest';

import { withoutPartner } from '../../../workers/report/partners.ts';

const box = (x: number, c = 0, width = 10) => ({ class: c, x, y: 0, width, height: 10 });

const cases: Record<
  string,
  [boxes: ReturnType<typeof box>[], others: ReturnType<typeof box>[], alone: number[]]
> = {
  'the same box': [[box(0)], [box(0)], []],
  'a box that moved a little': [[box(0)], [box(3)], []],
  'a box that moved by more than IoU 0.5 allows': [[box(0)], [box(4)], [0]],
  'another class': [[box(0)], [box(0, 1)], [0]],
  'nothing on the other side': [[box(0), box(50)], [], [0, 1]],
  'two boxes, one partner: the stronger takes it': [[box(0), box(1)], [box(0)], [1]],
  'a box without area': [[box(0, 0, 0)], [box(0, 0, 0)], [0]],
};

test.each(Object.entries(cases))('%s', (_, [boxes, others, expected]) => {
  const alone = withoutPartner(boxes, others);

  expect([...alone].map((b) => boxes.indexOf(b))).toEqual(expected);
});

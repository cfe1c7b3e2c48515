import { describe, expect, test } from 'vitest';
import { composeCuts } from '../../../workers/pruning/compose.ts';
import type { CutGroup } from '../../../workers/pruning/cut/cut.ts';

const tensor = (name: string, size: number, kept: readonly number[]) => ({
  name,
  axis: 1,
  size,
  kept,
});
const group = (reason: string, ...tensors: ReturnType<typeof tensor>[]): CutGroup => ({
  reason,
  tensors,
});

const CASES: Readonly<Record<string, readonly [CutGroup[][], CutGroup[]]>> = {
  'nothing cut': [[], []],
  'one round, as it is': [
    [[group('a', tensor('x', 4, [0, 2])), group('b', tensor('y', 2, [1]))]],
    [group('a', tensor('x', 4, [0, 2])), group('b', tensor('y', 2, [1]))],
  ],
  'a tensor that two groups of a round share': [
    [
      [
        group('a', tensor('x', 4, [0, 3]), tensor('joined', 6, [0, 3, 5])),
        group('b', tensor('y', 2, [1]), tensor('joined', 6, [0, 3, 5])),
      ],
    ],
    [
      group('a', tensor('x', 4, [0, 3]), tensor('joined', 6, [0, 3, 5])),
      group('b', tensor('y', 2, [1]), tensor('joined', 6, [0, 3, 5])),
    ],
  ],
  'a second round names places of what the first left': [
    [[group('a', tensor('x', 6, [1, 3, 4, 5]))], [group('later', tensor('x', 4, [0, 3]))]],
    [group('a', tensor('x', 6, [1, 5]))],
  ],
  'shared in both rounds': [
    [
      [group('a', tensor('joined', 6, [1, 3, 5])), group('b', tensor('joined', 6, [1, 3, 5]))],
      [group('c', tensor('joined', 3, [0, 2])), group('d', tensor('joined', 3, [0, 2]))],
    ],
    [group('a', tensor('joined', 6, [1, 5])), group('b', tensor('joined', 6, [1, 5]))],
  ],
  'first cut in the second round': [
    [[group('a', tensor('x', 4, [0]))], [group('b', tensor('y', 3, [2]))]],
    [group('a', tensor('x', 4, [0])), group('b', tensor('y', 3, [2]))],
  ],
};

describe('composeCuts', () => {
  test.each(Object.entries(CASES))('%s', (_, [rounds, told]) => {
    expect(composeCuts(rounds)).toEqual(told);
  });
});

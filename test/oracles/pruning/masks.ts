import { expect } from 'vitest';
import { magnitudes, twoOfFour, unstructured } from '../../../workers/pruning/sparsity/masks.ts';
import type { OracleTensor } from './tolerance.ts';

export function twoFour(c: {
  readonly axis: number;
  readonly weight: OracleTensor;
  readonly kept: OracleTensor;
}): void {
  const mask = twoOfFour(c.weight.data, c.weight.shape, c.axis);

  expect(Array.from(mask)).toEqual(Array.from(c.kept.data));
}

type Unstructured = { readonly sparsity: number; readonly removed_count: number } & (
  | { readonly weight: OracleTensor; readonly kept: OracleTensor }
  | {
      readonly weights: Readonly<Record<string, OracleTensor>>;
      readonly kept: Readonly<Record<string, OracleTensor>>;
    }
);

export function maskUnstructured(c: Unstructured): void {
  const pairs =
    'weight' in c
      ? [[c.weight, c.kept] as const]
      : Object.keys(c.weights).map((name) => [c.weights[name]!, c.kept[name]!] as const);
  const masks = unstructured(
    pairs.map(([{ data }]) => magnitudes(data)),
    c.sparsity,
  );

  for (const [i, [, kept]] of pairs.entries())
    expect(Array.from(masks[i]!)).toEqual(Array.from(kept.data));
  expect(masks.flatMap((m) => Array.from(m)).filter((x) => x === 0)).toHaveLength(c.removed_count);
}

/** @file No rule without a case: a new line in the registry fails here until its forms are in a table. */

import { expect, test } from 'vitest';

import { GRADIENT_RULES, MICROSOFT_RULES } from '../../../workers/autodiff/registry.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { CASES } from './cases/registry.ts';
import { caseText } from './gradient-case.ts';

/** Their gradients are defined, not derived: straight-through.test.ts. */
const DEFINED = ['DequantizeLinear', 'QuantizeLinear'];

const tested = new Set(
  CASES.flatMap(([, entry]) => parseText(caseText(entry)).graph.nodes)
    .map(({ domain, op }) => `${domain}:${op}`)
    .concat(DEFINED.flatMap((op) => [`:${op}`, `com.microsoft:${op}`])),
);

test.each([
  ['ai.onnx', '', GRADIENT_RULES],
  ['com.microsoft', 'com.microsoft', MICROSOFT_RULES],
])('every rule of %s has a case', (_, domain, rules) => {
  const written = Object.entries(rules).flatMap(([op, entry]) =>
    typeof entry === 'function' ? [op] : [],
  );

  expect(written.filter((op) => !tested.has(`${domain}:${op}`))).toEqual([]);
});

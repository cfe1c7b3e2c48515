import { expect, test } from 'vitest';

import { parseLiteral } from '../../../workers/tasks/python-literal.ts';

const literals: Readonly<Record<string, unknown>> = {
  '[320, 640]': [320, 640],
  '(1, 2.5, -3e2,)': [1, 2.5, -300],
  "'it\\'s'": "it's",
  '"a \\"b\\" \\u00e9 \\x41"': 'a "b" é A',
  "{0: 'cat', 1: 'dog'}": new Map([
    [0, 'cat'],
    [1, 'dog'],
  ]),
  "{'batch': 1, 'half': False, 'x': None}": new Map<string, unknown>([
    ['batch', 1],
    ['half', false],
    ['x', null],
  ]),
  '{"0": "cat"}': new Map([['0', 'cat']]),
  '[]': [],
  '{}': new Map(),
  ' [ [ ] , { } ] ': [[], new Map()],
};

test.each(Object.entries(literals))('%s', (text, value) => {
  expect(parseLiteral(text)).toEqual(value);
});

test.each([
  '',
  '[1',
  "{0: 'a'",
  "{0 'a'}",
  "'open",
  '[1 2]',
  '1 2',
  "__import__('os')",
  'f(1)',
  '['.repeat(100_000),
  `'${'x'.repeat(2 ** 21)}'`,
])('no literal: %.20s', (text) => {
  expect(parseLiteral(text)).toBeUndefined();
});

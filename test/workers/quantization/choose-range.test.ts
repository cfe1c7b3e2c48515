/** @file Ranges of 8 bits are searched for; 16 bits leave room for what was not seen. */

import { expect, test } from 'vitest';

import { chooseRange } from '../../../workers/quantization/choose-range.ts';
import { FORMATS, type Format } from '../../../workers/quantization/formats.ts';
import { Histogram } from '../../../workers/quantization/histogram.ts';
import { modelOf } from '../../helpers/tiny-model.ts';

const { graph } = modelOf('(float[4] X) => (float[4] Y) { Y = Relu(X) }', {});
const tensor = { value: graph.inputs[0]!, activation: undefined, readers: 'all' } as const;

const histogram = new Histogram();
histogram.add(Float32Array.from({ length: 4096 }, (_, i) => 3 * Math.sin(i) + 1));

/** Least and largest number that has a code. */
function span(format: Format, symmetric: boolean, name: 'auto' | 'minmax') {
  const { quantizer } = chooseRange(tensor, histogram, { format, symmetric }, name);
  const { scale, zeroPoint } = quantizer;
  const { min, max } = FORMATS[format];
  return [(min - zeroPoint) * scale, (max - zeroPoint) * scale] as const;
}

test.each([
  ['uint16', false, 'auto', -4, 8],
  ['int16', true, 'auto', -8, 8],
  ['uint16', false, 'minmax', -2, 4],
  ['uint8', false, 'minmax', -2, 4],
] as const)('%s, symmetric %s, %s: from %d to %d', (format, symmetric, name, from, to) => {
  const [least, largest] = span(format, symmetric, name);
  expect(least).toBeCloseTo(from, 1);
  expect(largest).toBeCloseTo(to, 1);
});

test('8 bits spend no code on what was not seen', () => {
  const [least, largest] = span('uint8', false, 'auto');
  expect(least).toBeGreaterThan(-2.1);
  expect(largest).toBeLessThan(4.1);
});

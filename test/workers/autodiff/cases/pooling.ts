/** @file Pooling of one to three axes. */

import type { GradientCase } from '../gradient-case.ts';

const pooled = (
  op: string,
  x: string,
  attributes: string,
  forward: 'double' | 'linear',
): GradientCase => ({ inputs: `float[${x}] x`, nodes: `y = ${op}${attributes}(x)`, forward });

const max = (x: string, attributes: string) => pooled('MaxPool', x, attributes, 'double');
const average = (x: string, attributes: string) => pooled('AveragePool', x, attributes, 'linear');

export const POOLING: Readonly<Record<string, GradientCase>> = {
  'MaxPool 2×2': max('2,2,4,6', '<kernel_shape=[2,2], strides=[2,2]>'),
  'MaxPool 3×3 stride 2 pads 1': max(
    '1,2,5,6',
    '<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>',
  ),
  'MaxPool 5×5 stride 1 pads 2': max('1,1,6,5', '<kernel_shape=[5,5], pads=[2,2,2,2]>'),
  'MaxPool 6×4, its axes apart': max(
    '1,2,9,8',
    '<kernel_shape=[6,4], strides=[2,1], pads=[3,0,1,2], dilations=[1,2]>',
  ),
  'MaxPool default strides': max('1,1,3,4', '<kernel_shape=[2,2]>'),
  'MaxPool ceil_mode': max('1,2,5,6', '<kernel_shape=[2,3], strides=[2,2], ceil_mode=1>'),
  'MaxPool dilations': max('1,1,6,6', '<kernel_shape=[2,2], dilations=[2,3]>'),
  'MaxPool asymmetric pads': max('1,1,4,5', '<kernel_shape=[3,2], strides=[2,2], pads=[0,1,2,0]>'),
  'MaxPool SAME_UPPER': max(
    '1,2,5,4',
    '<kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER">',
  ),
  'MaxPool SAME_LOWER': max(
    '1,2,5,4',
    '<kernel_shape=[2,3], strides=[2,2], auto_pad="SAME_LOWER">',
  ),
  'MaxPool VALID': max('1,1,5,4', '<kernel_shape=[2,2], strides=[2,2], auto_pad="VALID">'),
  'MaxPool 1-D': max('2,2,7', '<kernel_shape=[3], strides=[2], pads=[1,1]>'),
  'MaxPool 3-D': max('1,2,4,3,4', '<kernel_shape=[2,2,2], strides=[2,1,2]>'),
  'MaxPool with indices asked for': {
    inputs: 'float[1,1,4,4] x',
    nodes: 'y, i = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)',
    outputs: 'y, i',
  },
  'MaxPool with indices by columns': {
    inputs: 'float[1,2,4,6] x',
    nodes: 'y, i = MaxPool<kernel_shape=[2,2], strides=[2,2], storage_order=1>(x)',
    outputs: 'y, i',
  },
  'AveragePool 2×2': average('2,2,4,6', '<kernel_shape=[2,2], strides=[2,2]>'),
  'AveragePool 3×3 stride 1 pads 1': average('1,2,4,3', '<kernel_shape=[3,3], pads=[1,1,1,1]>'),
  'AveragePool count_include_pad': average(
    '1,2,4,5',
    '<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], count_include_pad=1>',
  ),
  'AveragePool ceil_mode': average('1,2,6,5', '<kernel_shape=[3,2], strides=[2,2], ceil_mode=1>'),
  'AveragePool ceil_mode count_include_pad': average(
    '1,1,6,6',
    '<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], ceil_mode=1, count_include_pad=1>',
  ),
  'AveragePool ceil_mode pads': average(
    '1,1,6,6',
    '<kernel_shape=[3,3], strides=[2,2], pads=[0,1,1,0], ceil_mode=1>',
  ),
  'AveragePool dilations': average('1,2,6,5', '<kernel_shape=[2,2], dilations=[2,3]>'),
  'AveragePool dilations pads include': average(
    '1,1,5,5',
    '<kernel_shape=[3,3], dilations=[2,2], pads=[2,1,1,2], count_include_pad=1>',
  ),
  'AveragePool SAME_UPPER': average(
    '1,2,5,4',
    '<kernel_shape=[3,2], strides=[2,2], auto_pad="SAME_UPPER">',
  ),
  'AveragePool SAME_LOWER': average(
    '1,2,5,4',
    '<kernel_shape=[2,3], strides=[2,2], auto_pad="SAME_LOWER">',
  ),
  'AveragePool SAME_UPPER count_include_pad': average(
    '1,1,5,4',
    '<kernel_shape=[3,3], strides=[2,2], auto_pad="SAME_UPPER", count_include_pad=1>',
  ),
  'AveragePool VALID': average('1,1,5,4', '<kernel_shape=[2,2], strides=[2,2], auto_pad="VALID">'),
  'AveragePool border unused': average('1,2,5,7', '<kernel_shape=[2,2], strides=[2,3]>'),
  'AveragePool 1-D': average('2,2,7', '<kernel_shape=[3], strides=[2], pads=[1,1]>'),
  'AveragePool 3-D': average('1,2,4,3,4', '<kernel_shape=[2,2,2], strides=[2,1,2]>'),
  GlobalAveragePool: pooled('GlobalAveragePool', '2,3,2,3', '', 'linear'),
  'GlobalAveragePool 1-D': pooled('GlobalAveragePool', '2,3,4', '', 'linear'),
  'GlobalAveragePool 3-D': pooled('GlobalAveragePool', '1,2,2,3,2', '', 'linear'),
  GlobalMaxPool: {
    ...pooled('GlobalMaxPool', '2,2,2,2', '', 'linear'),
    values: { x: { from: -20, to: 20 } },
  },
};

const lp = (op: string, x: string, attributes: string): GradientCase => ({
  inputs: `float[${x}] x`,
  nodes: `y = ${op}${attributes}(x)`,
  forward: 'single',
});

/** Ops that sample and pool at given places, or by other norms. */
export const OTHER_POOLING: Readonly<Record<string, GradientCase>> = {
  'LpPool by 2': lp('LpPool', '1,2,4,5', '<kernel_shape=[2,2], strides=[2,2]>'),
  'LpPool by 1, pads': lp('LpPool', '1,1,3,3', '<kernel_shape=[2,2], p=1, pads=[1,0,0,1]>'),
  'LpPool by 3, SAME_UPPER': lp(
    'LpPool',
    '1,1,5,4',
    '<kernel_shape=[3,2], p=3, strides=[2,2], auto_pad="SAME_UPPER">',
  ),
  'GlobalLpPool by 2': lp('GlobalLpPool', '1,2,2,3', ''),
  'GlobalLpPool by 3': lp('GlobalLpPool', '1,2,2,3', '<p=3>'),
  MaxUnpool: {
    inputs: 'float[1,1,2,2] x',
    constants: 'int64[1,1,2,2] i = {0, 3, 9, 14}',
    nodes: 'y = MaxUnpool<kernel_shape=[2,2], strides=[2,2]>(x, i)',
    forward: 'linear',
  },
};

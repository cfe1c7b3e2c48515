/** @file Conv and ConvTranspose of one to three axes. onnxruntime has neither in float64; both are linear in each input. */

import type { GradientCase } from '../gradient-case.ts';

const conv = (x: string, w: string, attributes = '', bias = true): GradientCase => ({
  inputs: `float[${x}] x, float[${w}] w${bias ? `, float[${w.split(',')[0]}] b` : ''}`,
  nodes: `y = Conv${attributes}(x, w${bias ? ', b' : ''})`,
  forward: 'linear',
});

const transposed = (x: string, w: string, attributes = '', channels = 0): GradientCase => ({
  inputs: `float[${x}] x, float[${w}] w${channels ? `, float[${channels}] b` : ''}`,
  nodes: `y = ConvTranspose${attributes}(x, w${channels ? ', b' : ''})`,
  forward: 'linear',
});

export const CONVOLUTION: Readonly<Record<string, GradientCase>> = {
  'Conv 1×1': conv('2,3,3,2', '2,3,1,1'),
  'Conv 1×1 stride 2': conv('1,2,5,4', '3,2,1,1', '<strides=[2,2]>'),
  'Conv 1×1 with pads': conv('1,2,2,2', '2,2,1,1', '<pads=[1,0,1,2]>'),
  'Conv 3×3 pads 1': conv('2,2,4,3', '2,2,3,3', '<pads=[1,1,1,1]>'),
  'Conv 3×3 no pads, no bias': conv('1,2,4,5', '2,2,3,3', '', false),
  'Conv 3×3 stride 2 pads 1, even': conv('1,2,6,4', '2,2,3,3', '<strides=[2,2], pads=[1,1,1,1]>'),
  'Conv 3×3 stride 2 pads 1, odd': conv('1,2,5,7', '2,2,3,3', '<strides=[2,2], pads=[1,1,1,1]>'),
  'Conv stride 3, border unused': conv('1,1,9,8', '2,1,2,2', '<strides=[3,3]>'),
  'Conv 6×6 stride 2 pads 2': conv('1,1,8,8', '2,1,6,6', '<strides=[2,2], pads=[2,2,2,2]>'),
  'Conv 4×4 stride 4 (patches)': conv('1,2,8,8', '3,2,4,4', '<strides=[4,4]>'),
  'Conv 5×1 and 1×5 kernels': conv('1,2,6,3', '2,2,5,1', '<pads=[2,0,2,0]>'),
  'Conv 9×9 kernel': conv('1,2,9,10', '2,2,9,9', '<pads=[4,0,4,1]>'),
  'Conv 9×9 kernel groups 2 stride 2': conv(
    '1,2,10,9',
    '2,1,9,9',
    '<group=2, strides=[2,2], pads=[3,4,4,3]>',
  ),
  'Conv mixed strides': conv('1,2,5,6', '2,2,3,2', '<strides=[1,2], pads=[1,0,1,0]>'),
  'Conv dilation 2': conv('1,2,6,6', '2,2,3,3', '<dilations=[2,2], pads=[2,2,2,2]>'),
  'Conv dilation 2 stride 2': conv(
    '1,1,7,8',
    '2,1,3,3',
    '<dilations=[2,2], strides=[2,2], pads=[2,1,1,2]>',
  ),
  'Conv mixed dilations': conv('1,1,6,5', '2,1,3,2', '<dilations=[1,3], pads=[1,2,1,1]>'),
  'Conv asymmetric pads': conv('1,2,4,4', '2,2,3,3', '<pads=[0,2,1,0]>'),
  'Conv asymmetric pads stride 2': conv('1,2,5,4', '2,2,3,3', '<strides=[2,2], pads=[0,1,2,1]>'),
  'Conv pads beyond the kernel': conv('1,1,3,3', '2,1,2,2', '<pads=[2,2,3,2]>'),
  'Conv groups 2': conv('2,4,3,3', '4,2,3,3', '<group=2, pads=[1,1,1,1]>'),
  'Conv groups 2 stride 2': conv('1,4,4,5', '6,2,3,3', '<group=2, strides=[2,2], pads=[1,1,1,1]>'),
  'Conv depthwise': conv('2,3,4,3', '3,1,3,3', '<group=3, pads=[1,1,1,1]>'),
  'Conv depthwise stride 2': conv('1,3,5,4', '3,1,3,3', '<group=3, strides=[2,2], pads=[1,1,1,1]>'),
  'Conv depthwise dilation 2': conv(
    '1,2,5,5',
    '2,1,3,3',
    '<group=2, dilations=[2,2], pads=[2,2,2,2]>',
  ),
  'Conv depthwise times 2': conv('1,2,4,4', '4,1,3,3', '<group=2, pads=[1,1,1,1]>'),
  'Conv depthwise times 2 stride 2': conv(
    '1,2,4,5',
    '4,1,3,3',
    '<group=2, strides=[2,2], pads=[1,1,1,1]>',
  ),
  'Conv one channel': conv('2,1,4,4', '1,1,3,3', '<pads=[1,1,1,1]>'),
  'Conv SAME_UPPER': conv('1,2,5,4', '2,2,3,2', '<auto_pad="SAME_UPPER">'),
  'Conv SAME_LOWER': conv('1,2,5,4', '2,2,2,3', '<auto_pad="SAME_LOWER">'),
  'Conv SAME_UPPER stride 2': conv('1,2,6,5', '2,2,3,3', '<auto_pad="SAME_UPPER", strides=[2,2]>'),
  'Conv SAME_LOWER stride 2': conv('1,2,6,5', '2,2,3,3', '<auto_pad="SAME_LOWER", strides=[2,2]>'),
  'Conv VALID': conv('1,2,4,4', '2,2,3,3', '<auto_pad="VALID">'),
  'Conv 1-D': conv('2,2,7', '3,2,3', '<pads=[1,1]>'),
  'Conv 1-D stride 2 dilation 2': conv(
    '1,2,9',
    '2,2,3',
    '<strides=[2], dilations=[2], pads=[2,1]>',
  ),
  'Conv 1-D depthwise': conv('1,3,6', '3,1,3', '<group=3, pads=[1,1]>'),
  'Conv 3-D': conv('1,2,3,3,3', '2,2,2,3,2', '<pads=[0,1,0,1,1,1]>'),
  'Conv 3-D stride 2 groups 2': conv('1,2,4,3,4', '2,1,2,2,2', '<group=2, strides=[2,1,2]>'),
  'Conv weights used twice': {
    inputs: 'float[1,2,3,3] x, float[2,2,3,3] w',
    nodes: 'h = Conv<pads=[1,1,1,1]>(x, w) s = Sigmoid(h) y = Conv<pads=[1,1,1,1]>(s, w)',
    forward: 'single',
  },

  'ConvTranspose 2×2 stride 2': transposed('1,2,3,2', '2,3,2,2', '<strides=[2,2]>', 3),
  'ConvTranspose 3×3 stride 1': transposed('1,2,3,3', '2,2,3,3', '<pads=[1,1,1,1]>', 2),
  'ConvTranspose output_padding': transposed(
    '1,2,3,3',
    '2,2,3,3',
    '<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>',
    2,
  ),
  'ConvTranspose output_padding uneven': transposed(
    '1,1,3,2',
    '1,2,3,3',
    '<strides=[3,2], output_padding=[2,0]>',
    2,
  ),
  'ConvTranspose output_shape': transposed(
    '1,2,3,3',
    '2,2,3,3',
    '<strides=[2,2], output_shape=[6,6]>',
    2,
  ),
  'ConvTranspose output_shape SAME_UPPER': transposed(
    '1,1,3,3',
    '1,2,3,3',
    '<strides=[2,2], output_shape=[6,6], auto_pad="SAME_UPPER">',
  ),
  'ConvTranspose SAME_UPPER': transposed(
    '1,1,3,3',
    '1,2,3,3',
    '<strides=[2,2], auto_pad="SAME_UPPER">',
  ),
  'ConvTranspose SAME_LOWER': transposed(
    '1,1,3,3',
    '1,2,3,3',
    '<strides=[2,2], auto_pad="SAME_LOWER">',
  ),
  'ConvTranspose VALID': transposed('1,1,3,3', '1,2,3,3', '<strides=[2,2], auto_pad="VALID">'),
  'ConvTranspose asymmetric pads': transposed(
    '1,1,4,4',
    '1,2,3,3',
    '<strides=[2,2], pads=[0,1,2,1]>',
  ),
  'ConvTranspose dilation 2': transposed('1,1,3,4', '1,2,3,2', '<dilations=[2,2], pads=[1,0,1,1]>'),
  'ConvTranspose groups 2': transposed('1,4,2,2', '4,2,3,3', '<group=2, strides=[2,2]>', 4),
  'ConvTranspose depthwise': transposed('1,3,2,3', '3,1,2,2', '<group=3, strides=[2,2]>', 3),
  'ConvTranspose 1-D': transposed('2,2,4', '2,3,3', '<strides=[2], pads=[1,1]>', 3),
  'ConvTranspose 3-D': transposed('1,1,2,2,2', '1,2,2,2,2', '<strides=[2,2,2]>', 2),
};

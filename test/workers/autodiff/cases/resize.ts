/** @file Resize: every coordinate mode with every interpolation, up and down. */

import type { GradientCase } from '../gradient-case.ts';

const COORDINATES = [
  'asymmetric',
  'half_pixel',
  'half_pixel_symmetric',
  'pytorch_half_pixel',
  'align_corners',
];
const NEAREST = ['floor', 'ceil', 'round_prefer_floor', 'round_prefer_ceil'];

/** Both axes: one grows, one shrinks, neither by a whole factor. */
const resized = (attributes: string, scales = '1, 1, 1.6, 0.7'): GradientCase => ({
  inputs: 'float[1,1,4,5] x',
  constants: `float[${scales.split(',').length}] scales = {${scales}}`,
  nodes: `y = Resize<${attributes}>(x, "", scales)`,
  forward: 'linear',
});

const to = (attributes: string, sizes: string): GradientCase => ({
  inputs: 'float[1,1,4,5] x',
  constants: `int64[${sizes.split(',').length}] sizes = {${sizes}}`,
  nodes: `y = Resize<${attributes}>(x, "", "", sizes)`,
  forward: 'linear',
});

const byCoordinates = (coordinates: string): [string, GradientCase][] => {
  const mode = `coordinate_transformation_mode="${coordinates}"`;
  return [
    ...NEAREST.map((nearest): [string, GradientCase] => [
      `Resize nearest ${nearest} ${coordinates}`,
      resized(`mode="nearest", nearest_mode="${nearest}", ${mode}`),
    ]),
    [`Resize linear ${coordinates}`, resized(`mode="linear", ${mode}`)],
    [`Resize cubic ${coordinates}`, resized(`mode="cubic", ${mode}`)],
    [`Resize linear ${coordinates} by 2`, resized(`mode="linear", ${mode}`, '1,1,2,2')],
    [`Resize linear ${coordinates} to sizes`, to(`mode="linear", ${mode}`, '1,1,7,3')],
  ];
};

export const RESIZE: Readonly<Record<string, GradientCase>> = {
  ...Object.fromEntries(COORDINATES.flatMap(byCoordinates)),
  'Resize nearest by 2 (asymmetric floor)': resized(
    'mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"',
    '1,1,2,2',
  ),
  'Resize nearest by 3 and 2': resized('mode="nearest"', '1,1,3,2'),
  'Resize nearest by a half': resized('mode="nearest"', '1,1,0.5,0.6'),
  'Resize nearest to sizes': to('mode="nearest"', '1,1,8,10'),
  'Resize cubic coefficient': resized('mode="cubic", cubic_coeff_a=-0.5'),
  'Resize cubic exclude_outside': resized('mode="cubic", exclude_outside=1'),
  'Resize linear one pixel, pytorch_half_pixel': to(
    'mode="linear", coordinate_transformation_mode="pytorch_half_pixel"',
    '1,1,1,3',
  ),
  'Resize linear one pixel, align_corners': to(
    'mode="linear", coordinate_transformation_mode="align_corners"',
    '1,1,1,3',
  ),
  'Resize of opset 10': {
    inputs: 'float[1,1,3,3] x',
    constants: 'float[4] scales = {1, 1, 2, 1.5}',
    nodes: 'y = Resize<mode="linear">(x, scales)',
    opset: 10,
    forward: 'linear',
  },
  'Upsample of opset 9': {
    inputs: 'float[1,1,3,3] x',
    constants: 'float[4] scales = {1, 1, 2, 2}',
    nodes: 'y = Upsample<mode="nearest">(x, scales)',
    opset: 9,
    forward: 'linear',
  },
  'Resize linear, three axes': {
    inputs: 'float[1,1,2,3,2] x',
    constants: 'float[5] scales = {1, 1, 2, 1.5, 2}',
    nodes: 'y = Resize<mode="linear">(x, "", scales)',
    forward: 'linear',
  },
  'Resize linear, one axis': {
    inputs: 'float[1,2,4] x',
    constants: 'float[3] scales = {1, 1, 1.75}',
    nodes: 'y = Resize<mode="linear">(x, "", scales)',
    forward: 'linear',
  },
  'Resize scales along axes': {
    inputs: 'float[1,1,4,5] x',
    constants: 'float[2] scales = {1.6, 0.7}',
    nodes: 'y = Resize<mode="linear", axes=[2,3]>(x, "", scales)',
    forward: 'linear',
  },
  'Resize sizes along axes, out of order': {
    inputs: 'float[1,1,4,5] x',
    constants: 'int64[2] sizes = {7, 3}',
    nodes: 'y = Resize<mode="linear", axes=[3,2]>(x, "", "", sizes)',
    forward: 'linear',
  },
  'Resize not larger': {
    inputs: 'float[1,1,4,5] x',
    constants: 'int64[2] sizes = {7, 8}',
    nodes:
      'y = Resize<mode="linear", axes=[2,3], keep_aspect_ratio_policy="not_larger">(x, "", "", sizes)',
    forward: 'linear',
  },
  'Resize not smaller': {
    inputs: 'float[1,1,4,5] x',
    constants: 'int64[2] sizes = {7, 8}',
    nodes:
      'y = Resize<mode="nearest", axes=[2,3], keep_aspect_ratio_policy="not_smaller">(x, "", "", sizes)',
    forward: 'linear',
  },
  'Resize linear antialias down': to('mode="linear", antialias=1', '1,1,2,3'),
  'Resize linear antialias mixed': resized('mode="linear", antialias=1'),
  'Resize cubic antialias down': to('mode="cubic", antialias=1', '1,1,2,3'),
  'Resize cubic antialias exclude_outside': to(
    'mode="cubic", antialias=1, exclude_outside=1',
    '1,1,3,2',
  ),
  'Resize crop': {
    inputs: 'float[1,1,4,5] x',
    constants: 'float[8] roi = {0, 0, 0.2, 0.1, 1, 1, 0.9, 1.3}, int64[4] sizes = {1, 1, 3, 4}',
    nodes:
      'y = Resize<mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=1.5>(x, roi, "", sizes)',
    forward: 'linear',
  },
  'Resize crop nearest': {
    inputs: 'float[1,1,4,5] x',
    constants: 'float[8] roi = {0, 0, 0.2, 0.1, 1, 1, 0.9, 0.8}, int64[4] sizes = {1, 1, 3, 1}',
    nodes:
      'y = Resize<mode="nearest", coordinate_transformation_mode="tf_crop_and_resize">(x, roi, "", sizes)',
    forward: 'linear',
  },
};

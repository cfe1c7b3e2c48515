/** @file Sampling at computed places. */

import type { GradientCase } from '../gradient-case.ts';

const GRID = { from: -1.25, to: 1.25 };

const sampled = (attributes: string, opset = 21): GradientCase => ({
  inputs: 'float[2,2,3,4] x, float[2,2,2,2] g',
  nodes: `y = GridSample${attributes}(x, g)`,
  values: { g: GRID },
  opset,
});

export const GRIDS: Readonly<Record<string, GradientCase>> = {
  GridSample: sampled(''),
  'GridSample align_corners': sampled('<align_corners=1>'),
  'GridSample border': sampled('<padding_mode="border">'),
  'GridSample border align_corners': sampled('<padding_mode="border", align_corners=1>'),
  'GridSample nearest': sampled('<mode="nearest">'),
  'GridSample nearest border': sampled('<mode="nearest", padding_mode="border">'),
  'GridSample of opset 16': {
    ...sampled('<mode="bilinear", padding_mode="border">', 16),
    forward: 'kinked',
  },
  'GridSample of com.microsoft': {
    ...sampled(''),
    nodes: 'y = com.microsoft.GridSample<align_corners=1>(x, g)',
    forward: 'kinked',
  },
  'GridSample of volumes': {
    inputs: 'float[1,2,2,3,2] x, float[1,2,1,2,3] g',
    nodes: 'y = GridSample<mode="linear">(x, g)',
    values: { g: GRID },
  },
  AffineGrid: {
    inputs: 'float[2,2,3] t',
    constants: 'int64[4] s = {2, 1, 3, 4}',
    nodes: 'y = AffineGrid(t, s)',
  },
  'AffineGrid align_corners': {
    inputs: 'float[1,2,3] t',
    constants: 'int64[4] s = {1, 2, 3, 2}',
    nodes: 'y = AffineGrid<align_corners=1>(t, s)',
  },
  'AffineGrid of volumes': {
    inputs: 'float[1,3,4] t',
    constants: 'int64[5] s = {1, 2, 2, 3, 2}',
    nodes: 'y = AffineGrid(t, s)',
  },
};

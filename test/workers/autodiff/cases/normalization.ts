/** @file Softmax and the normalization layers. */

import type { GradientCase } from '../gradient-case.ts';

const soft = (op: string, attributes: string, shape = '2,3,2', opset = 21): GradientCase => ({
  inputs: `float[${shape}] x`,
  nodes: `y = ${op}${attributes}(x)`,
  opset,
});

const softs = (op: string): Record<string, GradientCase> => ({
  [`${op} last axis`]: soft(op, ''),
  [`${op} axis 1`]: soft(op, '<axis=1>'),
  [`${op} axis 0`]: soft(op, '<axis=0>'),
  [`${op} negative axis`]: soft(op, '<axis=-2>'),
  [`${op} of opset 11, flattened`]: soft(op, '<axis=1>', '2,3,2', 11),
  [`${op} of opset 11, default axis of a matrix`]: soft(op, '', '2,3', 11),
});

const scaled = (call: string, x: string, scale: string, bias?: string): GradientCase => ({
  inputs: `float[${x}] x, float[${scale}] s${bias ? `, float[${bias}] b` : ''}`,
  nodes: `y = ${call}(x, s${bias ? ', b' : ''})`,
});

const single = (entry: GradientCase): GradientCase => ({ ...entry, forward: 'single' });

const batchNorm = (attributes: string, x: string, outputs = 'y'): GradientCase => ({
  inputs: `float[${x}] x, float[3] s, float[3] b, float[3] m, float[3] v`,
  nodes: `${outputs} = BatchNormalization${attributes}(x, s, b, m, v)`,
  values: { m: [0.3, -0.2, 0.1], v: [0.7, 1.4, 2] },
});

export const NORMALIZATION: Readonly<Record<string, GradientCase>> = {
  ...softs('Softmax'),
  ...softs('LogSoftmax'),
  'BatchNormalization at inference': batchNorm('<epsilon=0.01>', '2,3,2,2'),
  'BatchNormalization at inference, 1-D': batchNorm('', '2,3,4'),
  'BatchNormalization at inference, no positions': batchNorm('', '4,3'),
  'BatchNormalization in training': {
    ...batchNorm('<training_mode=1, epsilon=0.01>', '3,3,2,2', 'y, rm, rv'),
    inputs: 'float[3,3,2,2] x, float[3] s, float[3] b',
    constants: 'float[3] m = {0.3, -0.2, 0.1}, float[3] v = {0.7, 1.4, 2}',
    values: {},
  },
  'BatchNormalization of opset 9': { ...batchNorm('', '2,3,2,2'), opset: 9 },
  LayerNormalization: scaled('LayerNormalization', '2,3,4', '4', '4'),
  'LayerNormalization no bias': scaled('LayerNormalization<epsilon=0.01>', '3,4', '4'),
  'LayerNormalization axis 1': scaled('LayerNormalization<axis=1>', '2,3,2', '3,2', '3,2'),
  'LayerNormalization negative axis': scaled('LayerNormalization<axis=-2>', '2,3,2', '3,2', '3,2'),
  'LayerNormalization stretched scale': scaled('LayerNormalization<axis=1>', '2,3,2', '2', '3,1'),
  RMSNormalization: {
    ...scaled('RMSNormalization', '2,3,4', '4'),
    opset: 23,
  },
  'RMSNormalization axis 1': {
    ...scaled('RMSNormalization<axis=1, epsilon=0.01>', '2,3,2', '3,2'),
    opset: 23,
  },
  SimplifiedLayerNormalization: scaled('SimplifiedLayerNormalization<axis=-1>', '2,3,4', '4'),
  InstanceNormalization: single(scaled('InstanceNormalization', '2,3,2,2', '3', '3')),
  'InstanceNormalization 1-D, epsilon': single(
    scaled('InstanceNormalization<epsilon=0.1>', '2,2,5', '2', '2'),
  ),
  GroupNormalization: single(scaled('GroupNormalization<num_groups=2>', '2,4,2,2', '4', '4')),
  'GroupNormalization 1-D, epsilon': single(
    scaled('GroupNormalization<num_groups=3, epsilon=0.1>', '1,6,3', '6', '6'),
  ),
  'GroupNormalization of opset 18': {
    inputs: 'float[1,4,3] x',
    constants: 'float[2] s = {0.7, -1.2}, float[2] b = {0.1, 0.4}',
    nodes: 'y = GroupNormalization<num_groups=2>(x, s, b)',
    opset: 18,
  },
  'LpNormalization by 2': soft('LpNormalization', ''),
  'LpNormalization by 1, axis 1': soft('LpNormalization', '<p=1, axis=1>'),
  'LpNormalization by 2, axis 0': soft('LpNormalization', '<p=2, axis=0>'),
  LRN: single(soft('LRN', '<size=3, alpha=0.5, beta=0.6, bias=1.5>', '1,5,2,2')),
  'LRN wider than the channels': single(soft('LRN', '<size=7, alpha=0.3>', '1,3,2,1')),
  MeanVarianceNormalization: {
    ...single(soft('MeanVarianceNormalization', '', '2,2,3,2')),
    outputs: 'float[2,2,3,2] y',
  },
  'MeanVarianceNormalization axes': {
    ...single(soft('MeanVarianceNormalization', '<axes=[2,3]>', '1,2,3,2')),
    outputs: 'float[1,2,3,2] y',
  },
};

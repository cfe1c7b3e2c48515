/** @file What each version of ai.onnx changed in how a node is written. One line per op and version. */

import type { OpsetChange } from '../normalize.ts';
import * as inputs from './attributes-to-inputs.ts';
import * as batchNorm from './batch-normalization.ts';
import * as modes from './modes.ts';
import * as resize from './resize.ts';
import * as softmax from './softmax.ts';

/** Version → op → change, in rising order of versions. */
export const OPSET_CHANGES: readonly (readonly [number, Readonly<Record<string, OpsetChange>>])[] =
  [
    [
      9,
      {
        BatchNormalization: batchNorm.spatial,
        Scan: modes.scanBatch,
        Upsample: resize.upsampleScales,
      },
    ],
    [
      10,
      {
        Dropout: modes.dropoutMask,
        Slice: inputs.slice,
        TopK: inputs.topK,
        Upsample: resize.upsampleToResize,
      },
    ],
    [11, { Clip: inputs.clip, Pad: inputs.pad, Resize: resize.resize10, Scatter: inputs.scatter }],
    [12, { Dropout: inputs.dropout }],
    [
      13,
      {
        Hardmax: softmax.flattened,
        LogSoftmax: softmax.flattened,
        ReduceSum: inputs.axes,
        Softmax: softmax.flattened,
        Split: inputs.split,
        Squeeze: inputs.axes,
        Unsqueeze: inputs.axes,
      },
    ],
    [14, { BatchNormalization: batchNorm.outputs }],
    [16, { RoiAlign: modes.roiAlign }],
    [
      18,
      {
        ReduceL1: inputs.axes,
        ReduceL2: inputs.axes,
        ReduceLogSum: inputs.axes,
        ReduceLogSumExp: inputs.axes,
        ReduceMax: inputs.axes,
        ReduceMean: inputs.axes,
        ReduceMin: inputs.axes,
        ReduceProd: inputs.axes,
        ReduceSumSquare: inputs.axes,
        Split: inputs.splitCount,
      },
    ],
    [20, { DFT: inputs.dftAxis, GridSample: modes.gridSample }],
    [21, { GroupNormalization: batchNorm.groupScale }],
  ];

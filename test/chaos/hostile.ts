/** @file Models that are valid and do harm. */

import { parseText } from '../../workers/onnx/text.ts';
import { writeModel } from '../../workers/onnx/write.ts';

/** Sine upon sine, for ever. */
export const endlessBytes = () =>
  writeModel(
    parseText(`<ir_version: 8, opset_import: ["" : 17]>
    endless (float[1,4] X) => (float[1,4] Y) <bool[] on = {1}> {
      Y = Loop<body: graph = again (int64[] i, bool[] go, float[1,4] s) => (bool[] go_on, float[1,4] t) {
        go_on = Identity(go)
        t = Sin(s)
      }>("", on, X)
    }`),
  );

/** 4 MiB more with every turn, for ever. */
export const greedyBytes = () =>
  writeModel(
    parseText(`<ir_version: 8, opset_import: ["" : 17]>
    greedy (float[1,1] X) => (float[1,1] Y, float Z) <bool[] on = {1}, int64[2] size = {1024, 1024}> {
      Y, Z = Loop<body: graph = again (int64[] i, bool[] go, float[1,1] s) => (bool[] go_on, float[1,1] t, float[1024,1024] big) {
        go_on = Identity(go)
        t = Sin(s)
        big = Expand(t, size)
      }>("", on, X)
    }`),
  );

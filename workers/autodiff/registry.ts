import { ServiceError } from '../../src/contract/errors.ts';
import { type Node, nodeLabel } from '../onnx/graph.ts';
import type { GradientRule } from './rule.ts';
import * as activations from './rules/activations.ts';
import * as convolution from './rules/convolution.ts';
import { einsum } from './rules/einsum.ts';
import * as elementwise from './rules/elementwise.ts';
import * as gather from './rules/gather.ts';
import * as linear from './rules/linear.ts';
import * as normalization from './rules/normalization.ts';
import * as pooling from './rules/pooling.ts';
import * as quantize from './rules/quantize.ts';
import * as reduce from './rules/reduce.ts';
import { resize } from './rules/resize.ts';
import * as shape from './rules/shape.ts';

/** Zero almost everywhere: no gradient flows, by definition rather than by omission. */
const flat: GradientRule = () => [];

/** Refused on purpose. The reason reaches whoever submitted the job. */
const refused =
  (why: string): GradientRule =>
  ({ node }) => {
    throw new ServiceError('OP_NOT_DIFFERENTIABLE', { op: node.op, node: nodeLabel(node), why });
  };

/** What Lathe knows about differentiating each ai.onnx op. One line per op, alphabetical. */
export const GRADIENT_RULES: Readonly<Record<string, GradientRule>> = {
  Abs: elementwise.abs,
  Add: elementwise.add,
  And: flat,
  ArgMax: flat,
  ArgMin: flat,
  Atan: elementwise.atan,
  AveragePool: pooling.averagePool,
  BatchNormalization: normalization.batchNorm,
  Cast: shape.identity,
  Ceil: flat,
  Celu: activations.celu,
  Clip: elementwise.clip,
  Concat: shape.concat,
  ConstantOfShape: flat,
  Conv: convolution.conv,
  ConvTranspose: convolution.convTranspose,
  Cos: elementwise.cos,
  CumSum: reduce.cumSum,
  DepthToSpace: shape.depthToSpace,
  DequantizeLinear: quantize.dequantizeLinear,
  Div: elementwise.div,
  Dropout: shape.identity,
  Einsum: einsum,
  Elu: activations.elu,
  Equal: flat,
  Erf: elementwise.erf,
  Exp: elementwise.exp,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Floor: flat,
  Gather: gather.gather,
  GatherElements: gather.gatherElements,
  GatherND: gather.gatherND,
  Gelu: activations.gelu,
  Gemm: linear.gemm,
  GlobalAveragePool: pooling.globalAveragePool,
  GlobalMaxPool: pooling.globalMaxPool,
  Greater: flat,
  GreaterOrEqual: flat,
  GroupNormalization: normalization.groupNorm,
  HardSigmoid: activations.hardSigmoid,
  HardSwish: activations.hardSwish,
  Identity: shape.identity,
  If: refused('which branch runs is known only at run time'),
  InstanceNormalization: normalization.instanceNorm,
  LayerNormalization: normalization.layerNorm,
  LeakyRelu: activations.leakyRelu,
  Less: flat,
  LessOrEqual: flat,
  Log: elementwise.log,
  LogSoftmax: normalization.logSoftmax,
  Loop: refused('how often it runs is known only at run time'),
  LpNormalization: normalization.lpNorm,
  MatMul: linear.matmul,
  Max: elementwise.extremum,
  MaxPool: pooling.maxPool,
  Mean: elementwise.mean,
  Min: elementwise.extremum,
  Mish: activations.mish,
  Mul: elementwise.mul,
  Neg: elementwise.neg,
  NonMaxSuppression: refused('it picks boxes, and a pick does not vary smoothly'),
  Not: flat,
  OneHot: flat,
  Or: flat,
  PRelu: activations.prelu,
  Pad: shape.pad,
  Pow: elementwise.pow,
  QuantizeLinear: quantize.quantizeLinear,
  RMSNormalization: normalization.rmsNorm,
  Reciprocal: elementwise.reciprocal,
  ReduceL1: reduce.l1,
  ReduceL2: reduce.l2,
  ReduceLogSum: reduce.logSum,
  ReduceLogSumExp: reduce.logSumExp,
  ReduceMax: reduce.extremum,
  ReduceMean: reduce.mean,
  ReduceMin: reduce.extremum,
  ReduceProd: reduce.product,
  ReduceSum: reduce.sum,
  ReduceSumSquare: reduce.sumSquare,
  Relu: activations.relu,
  Reshape: shape.reshape,
  Resize: resize,
  Round: flat,
  Scan: refused('its steps are known only at run time'),
  ScatterElements: gather.scatterElements,
  ScatterND: gather.scatterND,
  Selu: activations.selu,
  Shape: flat,
  Sigmoid: activations.sigmoid,
  Sign: flat,
  Sin: elementwise.sin,
  Size: flat,
  Slice: shape.slice,
  Softmax: normalization.softmax,
  Softplus: activations.softplus,
  Softsign: activations.softsign,
  SpaceToDepth: shape.spaceToDepth,
  Split: shape.split,
  Sqrt: elementwise.sqrt,
  Squeeze: shape.reshape,
  Sub: elementwise.sub,
  Sum: elementwise.sum,
  Swish: activations.swish,
  Tanh: activations.tanh,
  ThresholdedRelu: activations.thresholdedRelu,
  Tile: shape.tile,
  TopK: gather.topK,
  Transpose: shape.transpose,
  Unsqueeze: shape.reshape,
  Where: elementwise.where,
  Xor: flat,
};

/** @throws OP_HAS_NO_GRADIENT */
export function gradientRule(node: Node): GradientRule {
  const rule = node.domain === '' ? GRADIENT_RULES[node.op] : undefined;
  if (rule === undefined)
    throw new ServiceError('OP_HAS_NO_GRADIENT', { op: node.op, node: nodeLabel(node) });
  return rule;
}

import { ServiceError } from '../../src/contract/errors.ts';
import { type Node, nodeLabel } from '../onnx/graph.ts';
import { refuse } from './refusal.ts';
import type { GradientRule } from './rule.ts';
import * as activations from './rules/activations.ts';
import * as attention from './rules/attention.ts';
import * as convolution from './rules/convolution.ts';
import { dropout } from './rules/dropout.ts';
import { einsum } from './rules/einsum.ts';
import * as elementwise from './rules/elementwise.ts';
import * as fused from './rules/fused.ts';
import * as gather from './rules/gather.ts';
import * as grid from './rules/grid.ts';
import * as linear from './rules/linear.ts';
import * as localResponse from './rules/local-response.ts';
import * as lpPooling from './rules/lp-pooling.ts';
import * as normalization from './rules/normalization.ts';
import { pad } from './rules/pad.ts';
import * as pooling from './rules/pooling.ts';
import * as quantize from './rules/quantize.ts';
import * as reduce from './rules/reduce.ts';
import { resize } from './rules/resize.ts';
import * as scatter from './rules/scatter.ts';
import * as shape from './rules/shape.ts';
import * as skip from './rules/skip-normalization.ts';
import * as trigonometry from './rules/trigonometry.ts';

/** Zero almost everywhere: no gradient flows, by definition rather than by omission. */
const flat = 'flat';

/** Nobody has written the rule yet. An op that is not listed counts as this. */
const unwritten = 'unwritten';

/** Refused on purpose. The reason reaches whoever submitted the job. */
const refused = (why: string) => ({ refused: why });

/** How an op is differentiated, or one of the three words for no. */
export type Entry = GradientRule | typeof flat | typeof unwritten | { readonly refused: string };

const INTEGER = refused('it computes with integers: train the float model, or its QDQ form');
const SEQUENCE = refused('sequences and optionals have no static shape');
const SUBGRAPH = 'is known only at run time';

/** What Lathe knows about differentiating each ai.onnx op. One line per op, alphabetical. */
export const GRADIENT_RULES = {
  Abs: elementwise.abs,
  Acos: trigonometry.acos,
  Acosh: trigonometry.acosh,
  Add: elementwise.add,
  AffineGrid: grid.affineGrid,
  And: flat,
  ArgMax: flat,
  ArgMin: flat,
  Asin: trigonometry.asin,
  Asinh: trigonometry.asinh,
  Atan: trigonometry.atan,
  Atanh: trigonometry.atanh,
  Attention: attention.attention,
  AveragePool: pooling.averagePool,
  BatchNormalization: normalization.batchNorm,
  Bernoulli: flat,
  BitShift: flat,
  BitwiseAnd: flat,
  BitwiseNot: flat,
  BitwiseOr: flat,
  BitwiseXor: flat,
  Cast: shape.cast,
  CastLike: shape.cast,
  Ceil: flat,
  Celu: activations.celu,
  CenterCropPad: unwritten,
  Clip: elementwise.clip,
  Col2Im: unwritten,
  Compress: refused('how many slices it keeps depends on the data'),
  Concat: shape.concat,
  ConcatFromSequence: SEQUENCE,
  ConstantOfShape: flat,
  Conv: convolution.conv,
  ConvInteger: INTEGER,
  ConvTranspose: convolution.convTranspose,
  Cos: trigonometry.cos,
  Cosh: trigonometry.cosh,
  CumSum: reduce.cumSum,
  DFT: unwritten,
  DeformConv: unwritten,
  DepthToSpace: shape.depthToSpace,
  DequantizeLinear: quantize.dequantizeLinear,
  Det: unwritten,
  Div: elementwise.div,
  Dropout: dropout,
  DynamicQuantizeLinear: INTEGER,
  Einsum: einsum,
  Elu: activations.elu,
  Equal: flat,
  Erf: elementwise.erf,
  Exp: elementwise.exp,
  Expand: shape.expand,
  EyeLike: flat,
  Flatten: shape.reshape,
  Floor: flat,
  GRU: unwritten,
  Gather: gather.gather,
  GatherElements: gather.gatherElements,
  GatherND: gather.gatherND,
  Gelu: activations.gelu,
  Gemm: linear.gemm,
  GlobalAveragePool: pooling.globalAveragePool,
  GlobalLpPool: lpPooling.globalLpPool,
  GlobalMaxPool: pooling.globalMaxPool,
  Greater: flat,
  GreaterOrEqual: flat,
  GridSample: grid.gridSample,
  GroupNormalization: normalization.groupNorm,
  HardSigmoid: activations.hardSigmoid,
  HardSwish: activations.hardSwish,
  Hardmax: flat,
  Identity: shape.identity,
  If: refused(`which branch runs ${SUBGRAPH}`),
  InstanceNormalization: normalization.instanceNorm,
  IsInf: flat,
  IsNaN: flat,
  LRN: localResponse.lrn,
  LSTM: unwritten,
  LayerNormalization: normalization.layerNorm,
  LeakyRelu: activations.leakyRelu,
  Less: flat,
  LessOrEqual: flat,
  Log: elementwise.log,
  LogSoftmax: normalization.logSoftmax,
  Loop: refused(`how often it runs ${SUBGRAPH}`),
  LpNormalization: normalization.lpNorm,
  LpPool: lpPooling.lpPool,
  MatMul: linear.matmul,
  MatMulInteger: INTEGER,
  Max: elementwise.extremum,
  MaxPool: pooling.maxPool,
  MaxRoiPool: unwritten,
  MaxUnpool: lpPooling.maxUnpool,
  Mean: elementwise.mean,
  MeanVarianceNormalization: localResponse.meanVariance,
  Min: elementwise.extremum,
  Mish: activations.mish,
  Mod: elementwise.mod,
  Mul: elementwise.mul,
  Multinomial: flat,
  Neg: elementwise.neg,
  NonMaxSuppression: refused('it picks boxes, and a pick does not vary smoothly'),
  NonZero: flat,
  Not: flat,
  OneHot: flat,
  OptionalGetElement: SEQUENCE,
  OptionalHasElement: SEQUENCE,
  Or: flat,
  PRelu: activations.prelu,
  Pad: pad,
  Pow: elementwise.pow,
  QLinearConv: INTEGER,
  QLinearMatMul: INTEGER,
  QuantizeLinear: quantize.quantizeLinear,
  RMSNormalization: normalization.rmsNorm,
  RNN: unwritten,
  RandomNormalLike: flat,
  RandomUniformLike: flat,
  Range: unwritten,
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
  ReverseSequence: shape.reverseSequence,
  RoiAlign: unwritten,
  RotaryEmbedding: unwritten,
  Round: flat,
  STFT: unwritten,
  Scan: refused(`the number of its steps ${SUBGRAPH}`),
  ScatterElements: scatter.scatterElements,
  ScatterND: scatter.scatterND,
  Selu: activations.selu,
  SequenceAt: SEQUENCE,
  SequenceConstruct: SEQUENCE,
  SequenceInsert: SEQUENCE,
  SequenceMap: SEQUENCE,
  Shape: flat,
  Shrink: activations.shrink,
  Sigmoid: activations.sigmoid,
  Sign: flat,
  SimplifiedLayerNormalization: normalization.rmsNorm,
  Sin: trigonometry.sin,
  Sinh: trigonometry.sinh,
  Size: flat,
  Slice: shape.slice,
  Softmax: normalization.softmax,
  Softplus: activations.softplus,
  Softsign: activations.softsign,
  SpaceToDepth: shape.spaceToDepth,
  Split: shape.split,
  SplitToSequence: SEQUENCE,
  Sqrt: elementwise.sqrt,
  Squeeze: shape.reshape,
  Sub: elementwise.sub,
  Sum: elementwise.sum,
  Swish: activations.swish,
  Tan: trigonometry.tan,
  Tanh: activations.tanh,
  ThresholdedRelu: activations.thresholdedRelu,
  Tile: shape.tile,
  TopK: gather.topK,
  Transpose: shape.transpose,
  Trilu: shape.trilu,
  Unique: refused('how many values it keeps depends on the data'),
  Unsqueeze: shape.reshape,
  Where: elementwise.where,
  Xor: flat,
} satisfies Record<string, Entry>;

/** The same for com.microsoft: fusions that onnxruntime and its exporters write. */
export const MICROSOFT_RULES = {
  Attention: attention.projectedAttention,
  BiasGelu: fused.biasGelu,
  BiasSoftmax: unwritten,
  CDist: unwritten,
  DequantizeLinear: quantize.dequantizeLinear,
  EmbedLayerNormalization: unwritten,
  FastGelu: fused.fastGelu,
  FusedConv: fused.fusedConv,
  FusedGemm: fused.fusedGemm,
  FusedMatMul: fused.fusedMatmul,
  Gelu: activations.gelu,
  GridSample: grid.gridSample,
  Inverse: fused.inverseMatrix,
  MatMulNBits: unwritten,
  MultiHeadAttention: attention.multiHeadAttention,
  NhwcMaxPool: INTEGER,
  QAttention: INTEGER,
  QGemm: INTEGER,
  QLinearAdd: INTEGER,
  QLinearAveragePool: INTEGER,
  QLinearConcat: INTEGER,
  QLinearGlobalAveragePool: INTEGER,
  QLinearLeakyRelu: INTEGER,
  QLinearMul: INTEGER,
  QLinearSigmoid: INTEGER,
  QLinearSoftmax: INTEGER,
  QuantizeLinear: quantize.quantizeLinear,
  QuickGelu: fused.quickGelu,
  SkipLayerNormalization: skip.skipLayerNorm,
  SkipSimplifiedLayerNormalization: skip.skipRmsNorm,
  TransposeMatMul: fused.fusedMatmul,
  Trilu: shape.trilu,
} satisfies Record<string, Entry>;

const DOMAINS: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  '': GRADIENT_RULES,
  'com.microsoft': MICROSOFT_RULES,
};

/**
 * The rule of a node's op. One that is refused on purpose throws when a gradient arrives: where none does, such as
 * behind indices, it does no harm.
 *
 * @throws OP_HAS_NO_GRADIENT nobody has written it
 */
export function gradientRule(node: Node): GradientRule {
  const rules = DOMAINS[node.domain];
  const entry = rules && Object.hasOwn(rules, node.op) ? rules[node.op]! : unwritten;
  if (typeof entry === 'function') return entry;
  if (entry === flat) return () => [];
  if (typeof entry === 'object') return () => refuse(node, entry.refused);
  const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`;
  throw new ServiceError('OP_HAS_NO_GRADIENT', { op, node: nodeLabel(node) });
}

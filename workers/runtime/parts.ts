/**
 * @file Comparing outputs part by part. Where an output joins tensors of different makers (box rows, score rows,
 * mask coefficients), a box coordinate of 380 would hide every score: each part is measured against its own scale.
 */

import { intOf, intsOf } from '../onnx/attributes.ts';
import { type Graph, type Node, shapeKnown, type Value } from '../onnx/graph.ts';
import { GraphIndex } from '../onnx/uses.ts';
import { numbersOf } from '../onnx/values.ts';
import { reshapeGroups } from './reshape-groups.ts';
import type { HostTensor } from './session.ts';

/** Per axis, the indices at which a new part begins (0 is not listed). */
export type Cuts = readonly ReadonlySet<number>[];

/** Ops whose output keeps the places of its inputs. */
const ELEMENTWISE = new Set(
  (
    'Add Sub Mul Div Pow Min Max Mod Where Sigmoid Relu LeakyRelu Tanh Exp Log Sqrt Neg Abs Erf Clip Cast Softmax ' +
    'LogSoftmax HardSigmoid HardSwish Softplus Elu Gelu Swish Identity Floor Ceil Round Reciprocal Equal Greater ' +
    'Less And Or Not QuantizeLinear DequantizeLinear CumSum'
  ).split(' '),
);

/**
 * Where an output's parts begin: the joints of every Concat between the output and the nodes that mix (Conv, MatMul …).
 * A part is one cell of the grid that the cuts of all axes span. Needs types (infer-types.ts) with known sizes; an axis
 * whose size is open has no cuts.
 */
export function cutsOf(graph: Graph, output: Value, index = new GraphIndex(graph)): Cuts {
  const known = new Map<Value, Cuts>();
  const visit = (v: Value): Cuts => {
    const seen = known.get(v);
    if (seen) return seen;
    const none = dimsOf(v).map(() => new Set<number>());
    known.set(v, none);
    const node = index.producer(v);
    const found = node && node.domain === '' ? cutsThrough(node, v, visit) : none;
    known.set(v, found);
    return found;
  };
  return visit(output);
}

const dimsOf = (v: Value | undefined): number[] => {
  const shape = v?.constant?.dims ?? shapeKnown(v);
  return (shape ?? []).map((d) => (typeof d === 'number' ? d : -1));
};

type Visit = (v: Value) => Cuts;

function cutsThrough(node: Node, y: Value, visit: Visit): Cuts {
  const dims = dimsOf(y);
  const cuts = dims.map(() => new Set<number>());
  const add = (axis: number, at: number) => {
    if (at > 0 && at < dims[axis]!) cuts[axis]!.add(at);
  };
  const x = node.inputs[0];
  if (ELEMENTWISE.has(node.op)) {
    for (const input of node.inputs) {
      const offset = dims.length - dimsOf(input).length;
      if (!input || offset < 0) continue;
      for (const [axis, set] of visit(input).entries())
        if (dimsOf(input)[axis] === dims[axis + offset])
          for (const at of set) add(axis + offset, at);
    }
  } else if (node.op === 'Concat') {
    joinCuts(node, dims, visit, add);
  } else if (x && node.op === 'Transpose') {
    const from = visit(x);
    const perm = intsOf(node, 'perm', [...dims.keys()].reverse());
    for (const [axis, source] of perm.entries()) for (const at of from[source] ?? []) add(axis, at);
  } else if (x && /^(Reshape|Flatten|Squeeze|Unsqueeze)$/.test(node.op)) {
    const from = dimsOf(x);
    if ([...from, ...dims].every((d) => d > 0))
      for (const { from: a, to: b } of reshapeGroups(from, dims))
        if (a.length === 1 && b.length === 1) for (const at of visit(x)[a[0]!]!) add(b[0]!, at);
  } else if (x && node.op === 'Slice') {
    sliceCuts(node, x, visit, add);
  } else if (x && node.op === 'Split') {
    splitCuts(node, y, visit(x), add);
  }
  return cuts;
}

type Add = (axis: number, at: number) => void;

function joinCuts(node: Node, dims: readonly number[], visit: Visit, add: Add): void {
  const axis = (intOf(node, 'axis', 0) + dims.length) % dims.length;
  let start = 0;
  for (const input of node.inputs) {
    if (!input) continue;
    for (const [a, set] of visit(input).entries())
      for (const at of set) add(a, a === axis ? start + at : at);
    const size = dimsOf(input)[axis] ?? -1;
    if (size < 0) return;
    start += size;
    add(axis, start);
  }
}

function sliceCuts(node: Node, x: Value, visit: Visit, add: Add): void {
  const list = (i: number, name: string) =>
    node.inputs[i]?.constant ? numbersOf(node.inputs[i].constant) : intsOf(node, name);
  const starts = list(1, 'starts');
  const from = dimsOf(x);
  if (!starts || list(4, 'steps')?.some((s) => s !== 1)) return;
  const axes = list(3, 'axes') ?? starts.map((_, i) => i);
  const shift = new Map(
    axes.map((a, i) => {
      const axis = (a + from.length) % from.length;
      const size = from[axis]!;
      return [axis, Math.min(Math.max(starts[i]! < 0 ? starts[i]! + size : starts[i]!, 0), size)];
    }),
  );
  for (const [axis, set] of visit(x).entries())
    for (const at of set) add(axis, at - (shift.get(axis) ?? 0));
}

function splitCuts(node: Node, y: Value, from: Cuts, add: Add): void {
  const rank = from.length;
  const axis = (intOf(node, 'axis', 0) + rank) % rank;
  let start = 0;
  for (const output of node.outputs) {
    if (output === y) break;
    start += dimsOf(output)[axis] ?? 0;
  }
  for (const [a, set] of from.entries()) for (const at of set) add(a, a === axis ? at - start : at);
}

/** The part that differs most: max|a − b| / max|a| over it. */
export interface PartError {
  readonly error: number;
  /** Where: per axis, the first and the last index. */
  readonly part: string;
}

/** The largest error of any part: `errorsOfParts`. */
export function compareParts(a: HostTensor, b: HostTensor, cuts: Cuts = []): PartError {
  return errorsOfParts(a, b, cuts).reduce((worst, e) => (e.error > worst.error ? e : worst));
}

/**
 * The error of every part, each against its own scale. Equal infinities and NaN at the same places agree; tensors of different
 * shapes differ infinitely.
 */
export function errorsOfParts(a: HostTensor, b: HostTensor, cuts: Cuts = []): PartError[] {
  if (`${a.dims}` !== `${b.dims}` || a.data.length !== b.data.length)
    return [{ error: Number.POSITIVE_INFINITY, part: `shapes [${a.dims}] and [${b.dims}]` }];
  const { partAt, count, describe } = partition(a.dims, cuts);
  const scale = new Float64Array(count);
  const difference = new Float64Array(count);
  for (let i = 0; i < a.data.length; i++) {
    const [x, y] = [Number(a.data[i]), Number(b.data[i])];
    const p = partAt(i);
    if (Number.isFinite(x)) scale[p] = Math.max(scale[p]!, Math.abs(x));
    if (Object.is(x, y) || x === y) continue;
    const d = Math.abs(x - y);
    difference[p] = Math.max(difference[p]!, Number.isFinite(d) ? d : Number.POSITIVE_INFINITY);
  }
  return Array.from(difference, (d, p) => ({
    error: d === 0 ? 0 : d / scale[p]!,
    part: describe(p),
  }));
}

/** More parts than this and the axis with the most cuts counts as one. */
const MOST_PARTS = 4096;

export function partition(dims: readonly number[], cuts: Cuts) {
  const starts = dims.map((_, axis) => [0, ...[...(cuts[axis] ?? [])].sort((a, b) => a - b)]);
  while (starts.reduce((n, s) => n * s.length, 1) > MOST_PARTS) {
    const most = starts.reduce((best, s, i) => (s.length > starts[best]!.length ? i : best), 0);
    starts[most] = [0];
  }
  const labels = dims.map((d, axis) => {
    const label = new Int32Array(d);
    for (const [k, at] of starts[axis]!.entries()) label.fill(k, at);
    return label;
  });
  const count = starts.reduce((n, s) => n * s.length, 1);
  const partAt = (flat: number): number => {
    let [rest, part, weight] = [flat, 0, 1];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      part += labels[axis]![rest % dims[axis]!]! * weight;
      weight *= starts[axis]!.length;
      rest = Math.floor(rest / dims[axis]!);
    }
    return part;
  };
  const describe = (part: number): string => {
    let rest = part;
    const ranges: string[] = [];
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const s = starts[axis]!;
      const k = rest % s.length;
      rest = Math.floor(rest / s.length);
      ranges.unshift(`${s[k]}…${(s[k + 1] ?? dims[axis]!) - 1}`);
    }
    return `[${ranges.join(', ')}]`;
  };
  return { partAt: count === 1 ? () => 0 : partAt, count, describe };
}

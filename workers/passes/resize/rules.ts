/** @file What each op's constants and attributes become when the sizes around them change. One line per op. */

import { intOf, ints, intsOf } from '../../onnx/attributes.ts';
import type { Attribute, Node } from '../../onnx/graph.ts';
import type { Tensor } from '../../onnx/tensor.ts';
import { makeTensor, type NumericDType, numbersOf } from '../../onnx/values.ts';
import { type Axis, axisSize, isChanged, mapIndex, sizesOf } from './axes.ts';
import { regenerate } from './grids.ts';
import { reshapeAxes } from './reshape.ts';

export interface Place {
  readonly node: Node;
  /** Axes of the inputs; undefined where one is left out. */
  readonly x: readonly (readonly Axis[] | undefined)[];
  /** Sizes of the first output before. */
  readonly out: readonly number[];
  /** Elements of a constant input. */
  constant(index: number): Tensor | undefined;
  /** Old size → new sizes of changed axes met so far. */
  readonly sizes: ReadonlyMap<number, ReadonlySet<number>>;
  set(index: number, tensor: Tensor, what: string): void;
  attribute(name: string, value: Attribute): void;
  /** Axes of the first output, where the rule knows them. */
  follow(axes: readonly Axis[]): void;
  refuse(why: string): never;
}

export type Rule = (place: Place) => void;

const integers = (like: Tensor, data: readonly number[]) =>
  makeTensor(like.dtype as NumericDType, [data.length], data);

const positive = (axis: number, rank: number) => (axis + rank) % rank;

/** A literal target becomes the sizes that follow; 0 and −1 stay where they say the same. */
const reshape: Rule = (p) => {
  const target = p.constant(1);
  if (!target) return;
  const wanted = numbersOf(target);
  const open = wanted.indexOf(-1);
  const axes = reshapeAxes(p.x[0]!, p.out, open < 0 ? undefined : open);
  if (typeof axes === 'string') return p.refuse(axes);
  p.follow(axes);
  const now = sizesOf(axes, 'now');
  const before = sizesOf(p.x[0]!, 'now');
  const next = wanted.map((d, k) => {
    if (d === -1) return -1;
    return d === 0 && intOf(p.node, 'allowzero', 0) === 0 && before[k] === now[k] ? 0 : now[k]!;
  });
  if (`${next}` !== `${wanted}`) p.set(1, integers(target, next), 'target shape');
};

/** Squeeze, Unsqueeze and Flatten have no sizes of their own. */
const reshapeLike: Rule = (p) => {
  const axes = reshapeAxes(p.x[0]!, p.out, undefined);
  if (typeof axes !== 'string') p.follow(axes);
};

/** The new size of a literal that is no axis of its own node's input. */
function sizeElsewhere(p: Place, literal: number): number {
  const found = p.sizes.get(literal);
  if (!found) return literal;
  if (found.size > 1)
    p.refuse(`its size ${literal} may follow axes that change to ${[...found].join(' or ')}`);
  return [...found][0]!;
}

const expand: Rule = (p) => {
  const target = p.constant(1);
  if (!target) return;
  const wanted = numbersOf(target);
  const next = wanted.map((d, k) => {
    const axis = p.x[0]!.at(k - wanted.length);
    if (d === 1) return 1;
    return axis && axisSize(axis, 'old') === d ? axisSize(axis, 'now') : sizeElsewhere(p, d);
  });
  if (`${next}` !== `${wanted}`) p.set(1, integers(target, next), 'target shape');
};

/** Scales stay; sizes keep their ratio to the input. */
const resize: Rule = (p) => {
  const sizes = p.constant(3);
  if (!sizes) return;
  const wanted = numbersOf(sizes);
  const over = intsOf(p.node, 'axes', [...wanted.keys()]);
  const next = wanted.map((d, i) => {
    const axis = p.x[0]![positive(over[i]!, p.x[0]!.length)]!;
    const old = axisSize(axis, 'old');
    if (!isChanged(axis)) return d === old ? d : sizeElsewhere(p, d);
    const size = (d * axisSize(axis, 'now')) / old;
    return Number.isInteger(size)
      ? size
      : p.refuse(
          `it resizes an axis of ${old} to ${d}, and ${axisSize(axis, 'now')} cannot keep that ratio`,
        );
  });
  if (`${next}` !== `${wanted}`) p.set(3, integers(sizes, next), 'sizes');
};

/** Bounds at an end or at a joint of segments move along; an offset from an end stays one. */
const slice: Rule = (p) => {
  const list = (index: number, name: string) => {
    const tensor = p.constant(index);
    return tensor ? numbersOf(tensor) : intsOf(p.node, name);
  };
  const [starts, ends] = [list(1, 'starts'), list(2, 'ends')];
  const rank = p.x[0]!.length;
  if (!starts || !ends) return;
  const axes = list(3, 'axes') ?? starts.map((_, i) => i);
  const bound = (value: number, i: number): number => {
    const axis = p.x[0]![positive(axes[i]!, rank)]!;
    const size = axisSize(axis, 'old');
    if (!isChanged(axis) || value < 0 || value > size) return value;
    const at = mapIndex(axis, value);
    // A first index within the only segment of an axis, as steps of two take: an offset, not a place.
    if (at === undefined && value < (list(4, 'steps')?.[i] ?? 1)) return value;
    return (
      at ??
      p.refuse(
        `its bound ${value} lies inside an axis of ${size} that becomes ${axisSize(axis, 'now')}`,
      )
    );
  };
  const nexts = [starts.map(bound), ends.map(bound)];
  for (const [k, old] of [starts, ends].entries()) {
    if (`${nexts[k]}` === `${old}`) continue;
    const tensor = p.constant(k + 1);
    if (tensor) p.set(k + 1, integers(tensor, nexts[k]!), 'bounds');
    else p.attribute(k === 0 ? 'starts' : 'ends', ints(nexts[k]!));
  }
};

const split: Rule = (p) => {
  const tensor = p.constant(1);
  const sizes = tensor ? numbersOf(tensor) : intsOf(p.node, 'split');
  const axis = p.x[0]![positive(intOf(p.node, 'axis', 0), p.x[0]!.length)]!;
  if (!sizes || !isChanged(axis)) return;
  const joints = [0, ...sizes.map((_, i) => sizes.slice(0, i + 1).reduce((a, b) => a + b, 0))];
  const moved = joints.map((at) => mapIndex(axis, at));
  const total = axisSize(axis, 'now');
  const equal = sizes.every((s) => s === sizes[0]) && total % sizes.length === 0;
  const next = moved.every((at) => at !== undefined)
    ? sizes.map((_, i) => moved[i + 1]! - moved[i]!)
    : equal
      ? sizes.map(() => total / sizes.length)
      : p.refuse(`it splits an axis that becomes ${total} into ${sizes.join(', ')}`);
  if (tensor) p.set(1, integers(tensor, next), 'sizes of its parts');
  else p.attribute('split', ints(next));
};

/** A window as large as the whole map is global pooling written out. */
const pool: Rule = (p) => {
  const kernel = intsOf(p.node, 'kernel_shape', []);
  const spatial = p.x[0]!.slice(2);
  const whole = kernel.every((k, i) => k === axisSize(spatial[i]!, 'old'));
  const padded = intsOf(p.node, 'pads', []).some((d) => d > 0);
  if (!whole || padded || !spatial.some(isChanged) || kernel.every((k) => k <= 3)) return;
  p.attribute('kernel_shape', ints(spatial.map((axis) => axisSize(axis, 'now'))));
};

/** Constants that run along a changed axis of what they meet. */
const elementwise: Rule = (p) => {
  for (const [i, axes] of p.x.entries()) {
    const tensor = p.constant(i);
    if (!tensor || !axes) continue;
    const meets = tensor.dims.map((d, k) => {
      const back = k - tensor.dims.length;
      const others = p.x.flatMap((x, j) => (j !== i && x?.at(back) ? [x.at(back)!] : []));
      return others.find((axis) => d > 1 && axisSize(axis, 'old') === d && isChanged(axis));
    });
    if (!meets.some((axis) => axis)) continue;
    const next = regenerate(tensor, meets);
    if (typeof next === 'string')
      p.refuse(
        `its constant '${p.node.inputs[i]!.name}' [${tensor.dims}] depends on the size: ${next}`,
      );
    else p.set(i, next, 'values along the axis');
  }
};

/** Parts that are constants grow with the axes that are not joined. */
const concat: Rule = (p) => {
  const axis = positive(intOf(p.node, 'axis', 0), p.out.length);
  for (const [i] of p.x.entries()) {
    const tensor = p.constant(i);
    if (!tensor) continue;
    const meets = tensor.dims.map((d, k) =>
      k === axis || d === 1 ? undefined : p.x.find((x, j) => j !== i && x && isChanged(x[k]!))?.[k],
    );
    if (!meets.some((m) => m)) continue;
    const next = regenerate(tensor, meets);
    if (typeof next === 'string')
      p.refuse(
        `its constant '${p.node.inputs[i]!.name}' [${tensor.dims}] depends on the size: ${next}`,
      );
    else p.set(i, next, 'values along the axis');
  }
};

/** Positions along a changed axis, written down: only the first and the last are sure to be meant. */
const gather: Rule = (p) => {
  const axis = p.x[0]![positive(intOf(p.node, 'axis', 0), p.x[0]!.length)]!;
  const picked = p.constant(1);
  if (!picked || !isChanged(axis)) return;
  if (numbersOf(picked).some((i) => i !== 0 && i !== -1))
    p.refuse(
      `it picks fixed positions along an axis that changes from ${axisSize(axis, 'old')} to ${axisSize(axis, 'now')}`,
    );
};

const fixedIndices: Rule = (p) => {
  if (p.constant(1) && p.x[0]!.some(isChanged))
    p.refuse('it picks fixed positions in a tensor that changes its size');
};

const matMul: Rule = (p) => {
  const [a, b] = p.x;
  const transA = p.node.op === 'Gemm' && intOf(p.node, 'transA', 0) === 1;
  const transB = p.node.op === 'Gemm' && intOf(p.node, 'transB', 0) === 1;
  const left = transA ? a?.at(0) : a?.at(-1);
  const right = (transB ? b?.at(-1) : (b?.at(-2) ?? b?.at(-1)))!;
  if (!left || axisSize(left, 'now') === axisSize(right, 'now')) return;
  p.refuse(
    `its weight takes ${axisSize(p.constant(1) ? right : left, 'now')} values, and at the new size there are ${axisSize(p.constant(1) ? left : right, 'now')}`,
  );
};

const convolution: Rule = (p) => {
  const [x, w] = p.x;
  if (!x?.[1] || !w) return;
  const [rows, columns] = sizesOf(w, 'now');
  const wanted = p.node.op === 'Conv' ? columns! * intOf(p.node, 'group', 1) : rows!;
  const found = axisSize(x[1], 'now');
  if (found !== wanted)
    p.refuse(`its weight takes ${wanted} channels, and there would be ${found}`);
};

const topK: Rule = (p) => {
  const k = p.constant(1);
  const axis = p.x[0]![positive(intOf(p.node, 'axis', -1), p.x[0]!.length)]!;
  const [wanted] = k ? numbersOf(k) : [intOf(p.node, 'k', 1)];
  if (isChanged(axis) && wanted! > axisSize(axis, 'now'))
    p.refuse(`it takes the ${wanted} largest of ${axisSize(axis, 'now')} values`);
};

const tile: Rule = (p) => {
  const repeats = p.constant(1);
  if (repeats && numbersOf(repeats).some((r) => r > 1 && p.sizes.has(r)))
    p.refuse(`it repeats ${numbersOf(repeats).join('×')} times, which may follow the size`);
};

const subgraphs: Rule = (p) => {
  if (p.x.some((x) => x?.some(isChanged)))
    p.refuse('a changed size reaches a subgraph, which is not followed');
};

const ELEMENTWISE =
  'Add Sub Mul Div Pow Mod Min Max Sum Mean Where And Or Xor Equal Greater GreaterOrEqual Less LessOrEqual PRelu ' +
  'BitwiseAnd BitwiseOr';

export const RESIZE_RULES: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(ELEMENTWISE.split(' ').map((op) => [op, elementwise])),
  AveragePool: pool,
  Concat: concat,
  Conv: convolution,
  ConvTranspose: convolution,
  Expand: expand,
  Flatten: reshapeLike,
  Gather: gather,
  GatherElements: fixedIndices,
  GatherND: fixedIndices,
  Gemm: matMul,
  GridSample: fixedIndices,
  If: subgraphs,
  Loop: subgraphs,
  MatMul: matMul,
  MaxPool: pool,
  Reshape: reshape,
  Resize: resize,
  Scan: subgraphs,
  ScatterElements: fixedIndices,
  ScatterND: fixedIndices,
  Slice: slice,
  Split: split,
  Squeeze: reshapeLike,
  Tile: tile,
  TopK: topK,
  Unsqueeze: reshapeLike,
};

/** @file Gradients of the ops that write updates into a tensor by index. Indices have no gradient. */

import { intOf, stringOf } from '../../onnx/attributes.ts';
import type { Value } from '../../onnx/graph.ts';
import { shapeOf } from '../../onnx/static-shapes.ts';
import type { GradientContext, GradientRule } from '../rule.ts';

/** One way of indexing: write into a tensor, and read what was written there. */
interface Places {
  readonly write: (into: Value, updates: Value, reduction: string) => Value;
  readonly read: (from: Value) => Value;
}

type PlacesOf = (ctx: GradientContext) => Places;

const elements: PlacesOf = ({ node, x: [, indices, updates], g }) => {
  const axis = { axis: { type: 'int', value: intOf(node, 'axis', 0) } } as const;
  return {
    write: (into, values, reduction) =>
      g.op('ScatterElements', [into, indices, values], shapeOf(into), {
        ...axis,
        reduction: { type: 'string', value: reduction },
      }),
    read: (from) => g.op('GatherElements', [from, indices], shapeOf(updates), axis),
  };
};

const tuples: PlacesOf = ({ x: [, indices, updates], g }) => ({
  write: (into, values, reduction) =>
    g.op('ScatterND', [into, indices, values], shapeOf(into), {
      reduction: { type: 'string', value: reduction },
    }),
  read: (from) => g.op('GatherND', [from, indices], shapeOf(updates)),
});

/** dx and dupdates, by reduction. */
type Scatter = (ctx: GradientContext, at: Places) => readonly [() => Value, () => Value];

/** y = x with updates written over it;  dx = dy, 0 where overwritten, dupdates = dy read there. */
const none: Scatter = ({ x: [, , updates], dy: [d], g }, { write, read }) => [
  () => write(d, g.zeros(shapeOf(updates), d), 'none'),
  () => read(d),
];

/** y = x + Σ of the updates that go there;  dx = dy, dupdates = dy read there. */
const add: Scatter = ({ dy: [d] }, { read }) => [() => d, () => read(d)];

/** y = x·Π of the updates that go there;  dx = dy·Π, dupdates = dy·x·Π of the other updates, zeros included. */
const mul: Scatter = ({ x: [x, , updates], dy: [d], g }, { write, read }) => [
  () => g.mul(d, write(g.fill(1, shapeOf(x), d), updates, 'mul')),
  () => {
    const one = g.scalar(1, d);
    const zero = g.compare('Equal', updates, g.scalar(0, d));
    const safe = g.where(zero, one, updates);
    const product = read(g.mul(d, write(x, safe, 'mul')));
    const zeros = read(write(g.zeros(shapeOf(x), d), g.indicator(zero, d), 'add'));
    const others = g.sub(zeros, g.indicator(zero, d));
    const alone = g.compare('Equal', others, g.scalar(0, d));
    return g.where(alone, g.div(product, safe), g.scalar(0, d));
  },
];

/** y = max or min of x and the updates that go there: shared evenly between those that reach it. */
const extremum: Scatter = ({ x: [x, , updates], y: [y], dy: [d], g }, { write, read }) => {
  const own = g.indicator(g.compare('Equal', x, y), d);
  const theirs = g.indicator(g.compare('Equal', updates, read(y)), d);
  const share = g.div(d, write(own, theirs, 'add'));
  return [() => g.mul(share, own), () => g.mul(read(share), theirs)];
};

const REDUCTIONS = { none, add, mul, max: extremum, min: extremum } satisfies Record<
  string,
  Scatter
>;

const rule =
  (places: PlacesOf): GradientRule =>
  (ctx) => {
    const reduction = stringOf(ctx.node, 'reduction', 'none') as keyof typeof REDUCTIONS;
    const [dx, dUpdates] = REDUCTIONS[reduction](ctx, places(ctx));
    return [dx, null, dUpdates];
  };

/** Source: https://onnx.ai/onnx/operators/onnx__ScatterElements.html */
export const scatterElements = rule(elements);

/** Source: https://onnx.ai/onnx/operators/onnx__ScatterND.html */
export const scatterND = rule(tuples);

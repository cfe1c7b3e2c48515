/** @file Fake quantization as one node: with a gradient of its own while the graph is differentiated, plain ops afterwards. */

import type { GradientRule } from '../../autodiff/rule.ts';
import { int, intOf } from '../../onnx/attributes.ts';
import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, Node, Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import type { Grid } from './grid.ts';

/** Never written to a file: no runtime knows the node. */
const DOMAIN = 'lathe';
const OP = 'FakeQuantize';
/** One scale for the whole tensor. */
const WHOLE = -1;

export interface FakeNode {
  readonly x: Value;
  /** [] or [places along axis]. */
  readonly scale: Value;
  readonly y: Value;
  readonly grid: Grid;
  /** Undefined: one scale for all. */
  readonly axis: number | undefined;
}

/** y = s·clip(round(x / s), qn, qp), ties to even. */
export const fakeNode = ({ x, scale, y, grid, axis }: FakeNode): Node => ({
  name: `${y.name}/${OP}`,
  op: OP,
  domain: DOMAIN,
  inputs: [x, scale],
  outputs: [y],
  attributes: { qn: int(grid.qn), qp: int(grid.qp), axis: int(axis ?? WHOLE) },
});

const isFake = (node: Node): boolean => node.domain === DOMAIN && node.op === OP;

interface Parts {
  readonly qn: number;
  readonly qp: number;
  /** The scale, shaped to meet x. */
  readonly scale: Value;
  /** Axes of x that share a scale, and how many numbers of one image do. */
  readonly shared: readonly number[];
  readonly count: number;
}

function partsOf(node: Node, g: GraphBuilder): Parts {
  const [x, scale] = node.inputs as [Value, Value];
  const shape = shapeOf(x);
  const axis = intOf(node, 'axis', WHOLE);
  const along = shape.map((size, i) => (i === axis ? size : 1));
  return {
    qn: intOf(node, 'qn', 0),
    qp: intOf(node, 'qp', 0),
    scale: axis === WHOLE ? scale : g.reshape(scale, along),
    shared: [...shape.keys()].filter((i) => i !== axis),
    count: axis === WHOLE ? sizeOf(shape.slice(1)) : sizeOf(shape) / shape[axis]!,
  };
}

/**
 * Straight through for x, the learned step size's gradient for s; v = x / s, N numbers to a scale (features of one image, or
 * weights of one channel):
 *
 *     dx = dy where qn < v < qp, else 0
 *     ds = 1/√(N·qp) · Σ dy · (round(v) − v inside, qn below, qp above)  =  1/√(N·qp) · Σ dy · (y − x inside, y outside) / s
 *
 * Source: Esser et al., Learned Step Size Quantization, ICLR 2020, https://arxiv.org/abs/1902.08153
 */
export function fakeRule(node: Node): GradientRule | undefined {
  return isFake(node) ? learnedStep : undefined;
}

const learnedStep: GradientRule = ({ node, x: [x], y: [y], dy: [d], g }) => {
  const { qn, qp, scale, shared, count } = partsOf(node, g);
  const above = g.compare('Greater', x, g.scale(scale, qn));
  const below = g.compare('Less', x, g.scale(scale, qp));
  const inside = g.binary('And', above, below, 'bool');
  return [
    () => g.where(inside, d, g.scalar(0, d)),
    () => {
      const each = g.mul(d, g.where(inside, g.sub(y, x), y));
      const sum = g.reshape(g.sum(each, shared, false), shapeOf(node.inputs[1]!));
      return g.scale(g.div(sum, node.inputs[1]!), 1 / Math.sqrt(count * Math.max(1, qp)));
    },
  ];
};

/** Every fake node of `graph` becomes Div, Round, Clip, Mul. */
export function writeOutFakes(graph: Graph, g = new GraphBuilder(graph)): void {
  const nodes = graph.nodes;
  graph.nodes = [];
  for (const node of nodes) {
    if (isFake(node)) writeOut(node, g);
    else graph.nodes.push(node);
  }
}

function writeOut(node: Node, g: GraphBuilder): void {
  const { qn, qp, scale } = partsOf(node, g);
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const code = g.unary('Round', g.div(x, scale));
  const kept = g.op('Clip', [code, g.scalar(qn, x), g.scalar(qp, x)], shapeOf(x));
  g.graph.nodes.push({
    name: g.name(`${y.name}/Mul`),
    op: 'Mul',
    domain: '',
    inputs: [kept, scale],
    outputs: [y],
    attributes: {},
  });
}

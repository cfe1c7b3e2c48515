/** @file Gradients of fused attention: Attention of ai.onnx, Attention and MultiHeadAttention of com.microsoft. */

import { floatOf, intOf, intsOf } from '../../onnx/attributes.ts';
import type { GraphBuilder } from '../../onnx/builder.ts';
import type { Value } from '../../onnx/graph.ts';
import { dtypeOf, range, shapeOf } from '../../onnx/static-shapes.ts';
import { refuse } from '../refusal.ts';
import type { GradientContext, GradientRule } from '../rule.ts';
import { onlyFirst } from './normalization.ts';

/** Shapes: q (B, H, Lq, E), k (B, H, Lk, E), v (B, H, Lk, Ev); bias broadcasts to (B, H, Lq, Lk). */
interface Attended {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly bias: Value | undefined;
  readonly scale: number;
}

/** What a masked score is. */
const MASKED = -1e30;

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

/**
 * Y = P·V, P = softmax(S), S = scale·Q·Kᵀ + bias;
 *
 *     dV = Pᵀ·dY    dS = P·(dP − Σ dP·P), dP = dY·Vᵀ    dQ = scale·dS·K    dK = scale·dSᵀ·Q    dbias = dS
 *
 * P is computed again: the fused op does not give it.
 */
function attentionGradients(g: GraphBuilder, { q, k, v, bias, scale }: Attended, d: Value) {
  const p = once(() => {
    const scores = g.scale(g.matmul(q, g.swap(k)), scale);
    const s = bias ? g.add(scores, bias) : scores;
    return g.op('Softmax', [s], shapeOf(s), { axis: { type: 'int', value: -1 } });
  });
  const ds = once(() => {
    const dp = g.matmul(d, g.swap(v));
    return g.mul(p(), g.sub(dp, g.sum(g.mul(dp, p()), [3])));
  });
  return {
    q: once(() => g.scale(g.matmul(ds(), k), scale)),
    k: once(() => g.scale(g.matmul(g.swap(ds()), q), scale)),
    v: once(() => g.matmul(g.swap(p()), d)),
    bias: ds,
  };
}

/** (B, L, H·E) → (B, H, L, E). */
function split(g: GraphBuilder, v: Value, heads: number): Value {
  const [batch, length, width] = shapeOf(v) as [number, number, number];
  return g.transpose(g.reshape(v, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** (B, H, L, E) → (B, L, H·E). */
function join(g: GraphBuilder, v: Value): Value {
  const [batch, heads, length, width] = shapeOf(v) as [number, number, number, number];
  return g.reshape(g.transpose(v, [0, 2, 1, 3]), [batch, length, heads * width]);
}

/** Each of the heads of k or v serves `times` heads of q, side by side. */
function repeatHeads(g: GraphBuilder, v: Value, times: number): Value {
  if (times === 1) return v;
  const [batch, heads, ...rest] = shapeOf(v) as [number, number, number, number];
  const wide = [batch, heads, times, ...rest];
  const grown = g.op('Expand', [g.reshape(v, [batch, heads, 1, ...rest]), g.ints(wide)], wide);
  return g.reshape(grown, [batch, heads * times, ...rest]);
}

function sumHeads(g: GraphBuilder, d: Value, times: number): Value {
  if (times === 1) return d;
  const [batch, heads, ...rest] = shapeOf(d) as [number, number, number, number];
  return g.sum(g.reshape(d, [batch, heads / times, times, ...rest]), [2], false);
}

/** Each position sees itself and what came before. */
function causal(g: GraphBuilder, rows: number, columns: number, like: Value): Value {
  const scores = range(rows * columns).map((i) =>
    i % columns > Math.floor(i / columns) ? MASKED : 0,
  );
  return g.floats([rows, columns], scores, like);
}

const plus = (g: GraphBuilder, a: Value | undefined, b: Value | undefined) =>
  a && b ? g.add(a, b) : (a ?? b);

function refuseInputs({ node }: GradientContext, names: Readonly<Record<number, string>>): void {
  for (const [i, name] of Object.entries(names))
    if (node.inputs[Number(i)]) refuse(node, `its ${name} has no rule`);
}

/**
 * Inputs Q, K, V of (B, L, H·E) or (B, H, L, E), attn_mask (added, or true where a position is seen). Fewer heads of K and V
 * serve several of Q each.
 *
 * Source: https://onnx.ai/onnx/operators/onnx__Attention.html
 */
export const attention: GradientRule = (ctx) => {
  const { node, x, dy, g } = ctx;
  onlyFirst(ctx);
  refuseInputs(ctx, { 4: 'past key', 5: 'past value', 6: 'padding length' });
  if (floatOf(node, 'softcap', 0) !== 0) refuse(node, 'its softcap has no rule');
  const flat = shapeOf(x[0]).length === 3;
  const headed = (v: Value, name: string) =>
    flat ? split(g, v, intOf(node, `${name}_num_heads`, 1)) : v;
  const back = (d: Value) => (flat ? join(g, d) : d);
  const [q, k, v] = [headed(x[0], 'q'), headed(x[1], 'kv'), headed(x[2], 'kv')];
  const [, heads, rows, width] = shapeOf(q) as [number, number, number, number];
  const [, shared, columns] = shapeOf(k) as [number, number, number];
  const times = heads / shared;
  const mask = node.inputs[3];
  if (mask && shapeOf(mask).at(-1) !== columns) refuse(node, 'its short mask has no rule');
  const seen = intOf(node, 'is_causal', 0) === 1 ? causal(g, rows, columns, q) : undefined;
  const d = attentionGradients(
    g,
    {
      q,
      k: repeatHeads(g, k, times),
      v: repeatHeads(g, v, times),
      bias: plus(g, mask && additive(g, mask, q), seen),
      scale: floatOf(node, 'scale', 1 / Math.sqrt(width)),
    },
    flat ? split(g, dy[0], heads) : dy[0],
  );
  return [
    () => back(d.q()),
    () => back(sumHeads(g, d.k(), times)),
    () => back(sumHeads(g, d.v(), times)),
    d.bias,
  ];
};

const additive = (g: GraphBuilder, mask: Value, like: Value) =>
  dtypeOf(mask) === 'bool' ? g.where(mask, g.scalar(0, like), g.scalar(MASKED, like)) : mask;

/** com.microsoft: `unidirectional` is causal; the scale is 1/√E where it is 0 or left out. */
function microsoftAttended(
  { node, g }: GradientContext,
  projected: readonly [Value, Value, Value],
  bias: Value | undefined,
): Attended {
  const heads = intOf(node, 'num_heads', 1);
  const [q, k, v] = projected.map((p) => split(g, p, heads)) as [Value, Value, Value];
  const [, , rows, width] = shapeOf(q) as [number, number, number, number];
  const columns = shapeOf(k)[2]!;
  const seen = intOf(node, 'unidirectional', 0) === 1 ? causal(g, rows, columns, q) : undefined;
  const scale = floatOf(node, 'scale', 0) || 1 / Math.sqrt(width);
  return { q, k, v, bias: plus(g, bias, seen), scale };
}

/**
 * Inputs query, key, value (B, L, H·E) and their biases side by side in one vector; attention_bias is added to the scores.
 *
 * Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const multiHeadAttention: GradientRule = (ctx) => {
  const { node, x, dy, g } = ctx;
  onlyFirst(ctx);
  refuseInputs(ctx, { 4: 'key padding mask', 6: 'past key', 7: 'past value' });
  const operands = [x[0], x[1], x[2]] as const;
  if (operands.some((v) => v === undefined || shapeOf(v).length !== 3))
    refuse(node, 'its packed form has no rule');
  const bias = node.inputs[3];
  const starts = [0, shapeOf(x[0])[2]!, shapeOf(x[0])[2]! + shapeOf(x[1])[2]!];
  const biased = operands.map((v, i) => {
    const width = shapeOf(v)[2]!;
    return bias ? g.add(v, g.slice(bias, [0], [starts[i]!], [starts[i]! + width], [1])) : v;
  }) as [Value, Value, Value];
  const attended = microsoftAttended(ctx, biased, node.inputs[5]);
  const d = attentionGradients(g, attended, split(g, dy[0], intOf(node, 'num_heads', 1)));
  const parts = [d.q, d.k, d.v].map((part) => once(() => join(g, part())));
  const dBias = () =>
    g.concat(
      parts.map((part) => g.sum(part(), [0, 1], false)),
      0,
    );
  return [...parts, dBias, null, d.bias];
};

/**
 * q, k, v = parts of X·W + B;  dX = dP·Wᵀ, dW = Xᵀ·dP, dB = Σ dP, dP the gradients of q, k and v side by side.
 *
 * Shapes: X (B, L, D), W (D, Eq + Ek + Ev).
 */
export const projectedAttention: GradientRule = (ctx) => {
  const { node, x, dy, g } = ctx;
  onlyFirst(ctx);
  refuseInputs(ctx, { 3: 'mask', 4: 'past' });
  if (intOf(node, 'do_rotary', 0) === 1) refuse(node, 'its rotary embedding has no rule');
  const [batch, length, depth] = shapeOf(x[0]) as [number, number, number];
  const total = shapeOf(x[1])[1]!;
  const product = g.matmul(x[0], x[1]);
  const all = node.inputs[2] ? g.add(product, x[2]) : product;
  const widths = intsOf(node, 'qkv_hidden_sizes', [total / 3, total / 3, total / 3]);
  const starts = [0, widths[0]!, widths[0]! + widths[1]!];
  const projected = widths.map((w, i) =>
    g.slice(all, [2], [starts[i]!], [starts[i]! + w], [1]),
  ) as [Value, Value, Value];
  const attended = microsoftAttended(ctx, projected, node.inputs[5]);
  const d = attentionGradients(g, attended, split(g, dy[0], intOf(node, 'num_heads', 1)));
  const dP = once(() => g.concat([join(g, d.q()), join(g, d.k()), join(g, d.v())], 2));
  const rows = (v: Value, width: number) => g.reshape(v, [batch * length, width]);
  return [
    () => g.matmul(dP(), g.swap(x[1])),
    () => g.matmul(g.swap(rows(x[0], depth)), rows(dP(), total)),
    () => g.sum(dP(), [0, 1], false),
    null,
    null,
    d.bias,
  ];
};

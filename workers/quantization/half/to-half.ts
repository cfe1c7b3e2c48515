/** @file A graph's float32 arithmetic to 16-bit floats, its inputs and outputs as they were. */

import { int, subgraphsOf } from '../../onnx/attributes.ts';
import { DTYPE_NUMBERS } from '../../onnx/dtype.ts';
import { dtypeKnown, type Graph, type Node, shapeKnown, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { sortNodes } from '../../onnx/topological.ts';
import { valuesUsedIn } from '../../onnx/uses.ts';
import { numbersAs, numbersOf } from '../../onnx/values.ts';

/** Largest finite float16. */
export const LARGEST = 65504;

/** Inputs that ONNX wants in float32 whatever the other inputs are. */
const ALWAYS_FLOAT: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2], Upsample: [1] };

/** Ops that ONNX defines for float32 alone, or whose output's type an attribute or another input states. */
const FLOAT_ONLY: ReadonlySet<string> = new Set(
  (
    'NonMaxSuppression ConstantOfShape EyeLike RandomNormal RandomUniform RandomNormalLike RandomUniformLike Range Multinomial ' +
    'Bernoulli Cast CastLike HannWindow HammingWindow BlackmanWindow MelWeightMatrix TfIdfVectorizer RoiAlign ' +
    'QuantizeLinear DequantizeLinear DynamicQuantizeLinear'
  ).split(' '),
);

const isFloat = (v: Value | undefined): v is Value =>
  v !== undefined && dtypeKnown(v) === 'float32';

/** bfloat16 has float32's range, and 8 bits of precision. */
export type HalfType = 'float16' | 'bfloat16';

/** Why a node cannot be in 16-bit floats; undefined: it can. Nodes without floats are none of these. */
export function floatOnly(node: Node, type: HalfType = 'float16'): string | undefined {
  if (node.domain !== '') return `its domain '${node.domain}' is not ONNX's own`;
  if (subgraphsOf(node).length > 0) return 'it holds a subgraph';
  if (FLOAT_ONLY.has(node.op)) return `${node.op} states its own types`;
  if (type === 'bfloat16') return undefined;
  const constant = node.inputs.find(
    (v, i) => isFloat(v) && v.constant && !ALWAYS_FLOAT[node.op]?.includes(i) && overflows(v),
  );
  return constant && `its constant '${constant.name}' is beyond ${LARGEST}`;
}

const overflows = ({ constant }: Value): boolean =>
  numbersOf(constant!).some((x) => Number.isFinite(x) && Math.abs(x) > LARGEST);

/**
 * Types of all values are known. Casts stand where 16-bit floats meet float32, one for each value.
 *
 * @param islands nodes that stay in float32
 * @returns how many nodes compute in 16-bit floats
 */
export function toHalf(
  graph: Graph,
  islands: ReadonlySet<Node>,
  type: HalfType = 'float16',
): number {
  const halved = new Set(
    graph.nodes.filter((n) => !islands.has(n) && [...n.inputs, ...n.outputs].some(isFloat)),
  );
  const half = new Set([...halved].flatMap((n) => n.outputs.filter(isFloat)));
  const casts = new Casts(graph, type);
  for (const node of graph.nodes) {
    const wanted = halved.has(node);
    node.inputs = node.inputs.map((v, i) => {
      if (!isFloat(v)) return v;
      const keep = !wanted || ALWAYS_FLOAT[node.op]?.includes(i);
      if (keep) return half.has(v) ? casts.get(v, 'float32') : v;
      return half.has(v) ? v : casts.get(v, type);
    });
  }
  graph.outputs = graph.outputs.map((v) => (half.has(v) ? casts.output(v) : v));
  for (const v of half) v.type = { kind: 'tensor', dtype: type, shape: shapeKnown(v) };
  casts.finish();
  return halved.size;
}

class Casts {
  readonly #graph: Graph;
  readonly #type: HalfType;
  readonly #names: Names;
  readonly #made = new Map<Value, Value>();
  readonly #nodes: Node[] = [];

  constructor(graph: Graph, type: HalfType) {
    this.#graph = graph;
    this.#type = type;
    this.#names = new Names(graph);
  }

  /** A constant in the other type, or a Cast of a value. */
  get(v: Value, to: HalfType | 'float32'): Value {
    const known = this.#made.get(v);
    if (known) return known;
    const made = v.constant ? this.#constant(v) : this.#cast(v, to, `${v.name}/${to}`);
    this.#made.set(v, made);
    return made;
  }

  #constant({ name, constant }: Value): Value {
    const tensor = numbersAs(this.#type, constant!.dims, numbersOf(constant!));
    const type = { kind: 'tensor', dtype: 'float16', shape: constant!.dims } as const;
    const value = new Value(this.#names.fresh(`${name}/${this.#type}`), type, tensor);
    this.#graph.initializers.push(value);
    return value;
  }

  #cast(v: Value, to: HalfType | 'float32', name: string): Value {
    const out = new Value(this.#names.fresh(name), {
      kind: 'tensor',
      dtype: to,
      shape: shapeKnown(v),
    });
    this.#nodes.push({
      name: this.#names.fresh(`${name}/Cast`),
      op: 'Cast',
      domain: '',
      inputs: [v],
      outputs: [out],
      attributes: { to: int(DTYPE_NUMBERS[to]) },
    });
    return out;
  }

  /** A graph output keeps its name: what made it gets another. */
  output(v: Value): Value {
    const { name } = v;
    const out = this.#made.get(v) ?? this.#cast(v, 'float32', name);
    this.#made.set(v, out);
    v.name = this.#names.fresh(`${name}/half`);
    out.name = name;
    return out;
  }

  finish(): void {
    const graph = this.#graph;
    graph.nodes.push(...this.#nodes);
    sortNodes(graph);
    const used = valuesUsedIn(graph);
    graph.initializers = graph.initializers.filter((v) => used.has(v) || graph.inputs.includes(v));
  }
}

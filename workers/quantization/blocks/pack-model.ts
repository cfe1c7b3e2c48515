/** @file Weight-only precision: weights of MatMul and Gemm in blocks, everything else in float. Needs no images. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { floatOf, int, intOf } from '../../onnx/attributes.ts';
import { type Graph, type Model, type Node, nodeLabel, Value } from '../../onnx/graph.ts';
import { Names } from '../../onnx/names.ts';
import { Tensor } from '../../onnx/tensor.ts';
import { isTrained } from '../../onnx/trained.ts';
import { valuesUsedIn } from '../../onnx/uses.ts';
import { floatsOf } from '../../onnx/values.ts';
import { matcher } from '../matcher.ts';
import { type Bits, BLOCK, pack } from './pack.ts';

const DOMAIN = 'com.microsoft';

/** Smaller weights gain less than the nodes around them cost. */
const SMALLEST = 1024;

const NO_MATRIX = `it stores weights of MatMul and Gemm in blocks, and the model has none of at least ${SMALLEST} numbers; weights of a Conv are quantized by 'int8', 'int16' or 'fp16'`;

export interface PackOptions {
  readonly precision: string;
  readonly bits: Bits;
  readonly keepFloat: readonly string[];
}

export interface PackDetails {
  readonly precision: string;
  readonly blockSize: number;
  /** Weights that were packed, by the name of what their node makes. */
  readonly packed: readonly { readonly tensor: string; readonly op: string }[];
  /** Share of all float weights' bytes that they were. */
  readonly share: number;
  readonly float: readonly {
    readonly tensor: string;
    readonly op: string;
    readonly reason: string;
  }[];
  readonly warnings: readonly string[];
}

/** @throws NOTHING_TO_QUANTIZE no MatMul or Gemm has such a weight */
export function packModel(model: Model, { precision, bits, keepFloat }: PackOptions): PackDetails {
  const { graph } = model;
  const keep = matcher(keepFloat, graph, 'keepFloat');
  const bytes = graph.initializers.reduce((n, v) => n + (v.constant?.bytes.length ?? 0), 0);
  const products = graph.nodes.filter((n) => isTrained(n));
  const reasons = new Map(
    products.flatMap((n) => {
      const reason = keep.matches(n) ? 'keepFloat names it' : unpackable(n);
      return reason ? [[n, reason] as const] : [];
    }),
  );
  const chosen = products.filter((n) => !reasons.has(n));
  if (chosen.length === 0)
    throw new ServiceError('NOTHING_TO_QUANTIZE', { precision, why: NO_MATRIX });
  const weights = new Set(chosen.map((n) => n.inputs[1]!));
  const share = [...weights].reduce((n, v) => n + v.constant!.bytes.length, 0) / bytes;
  const entries = chosen.map((n) => ({ tensor: n.outputs[0]!.name, op: n.op }));
  const writer = new PackWriter(graph, bits);
  graph.nodes = graph.nodes.flatMap((n) =>
    reasons.has(n) || !chosen.includes(n) ? [n] : writer.packed(n),
  );
  const used = valuesUsedIn(graph);
  graph.initializers = graph.initializers.filter((v) => used.has(v) || graph.inputs.includes(v));
  model.opsets[DOMAIN] ??= 1;
  return {
    precision,
    blockSize: BLOCK,
    packed: entries,
    share,
    float: [...reasons].map(([n, reason]) => ({ tensor: n.outputs[0]!.name, op: n.op, reason })),
    warnings: [],
  };
}

/** Why the weight of a product cannot be packed; undefined: it can. */
function unpackable(node: Node): string | undefined {
  if (node.op !== 'MatMul' && node.op !== 'Gemm')
    return `weights of ${node.op} are not stored in blocks`;
  const weight = node.inputs[1]?.constant;
  if (weight?.dims.length !== 2) return 'its weight is no matrix on the right';
  if (weight.size < SMALLEST) return `its weight has fewer than ${SMALLEST} numbers`;
  if (node.op === 'MatMul') return undefined;
  const plain =
    intOf(node, 'transA', 0) === 0 &&
    floatOf(node, 'alpha', 1) === 1 &&
    floatOf(node, 'beta', 1) === 1;
  return plain ? undefined : 'it scales or transposes its input';
}

class PackWriter {
  readonly #graph: Graph;
  readonly #names: Names;
  readonly #bits: Bits;
  readonly #packed = new Map<string, readonly [codes: Value, scales: Value]>();

  constructor(graph: Graph, bits: Bits) {
    this.#graph = graph;
    this.#names = new Names(graph);
    this.#bits = bits;
  }

  /** The node as MatMulNBits, and an Add where it had a bias. */
  packed(node: Node): Node[] {
    const [x, weight, bias] = node.inputs;
    const transposed = node.op === 'Gemm' && intOf(node, 'transB', 0) === 1;
    const dims = weight!.constant!.dims as [number, number];
    const [N, K] = transposed ? dims : [dims[1], dims[0]];
    const y = node.outputs[0]!;
    const made = bias ? new Value(this.#names.fresh(`${y.name}/product`), y.type) : y;
    const product: Node = {
      name: node.name,
      op: 'MatMulNBits',
      domain: DOMAIN,
      inputs: [x, ...this.#weights(weight!, K, N, transposed)],
      outputs: [made],
      attributes: { K: int(K), N: int(N), bits: int(this.#bits), block_size: int(BLOCK) },
    };
    if (!bias) return [product];
    const name = this.#names.fresh(`${nodeLabel(node)}/Add`);
    return [
      product,
      { name, op: 'Add', domain: '', inputs: [made, bias], outputs: [y], attributes: {} },
    ];
  }

  #weights(weight: Value, K: number, N: number, transposed: boolean): readonly [Value, Value] {
    const key = `${weight.name} ${transposed}`;
    const known = this.#packed.get(key);
    if (known) return known;
    const w = floatsOf(weight.constant!);
    const at = (k: number, n: number) => w[transposed ? n * K + k : k * N + n]!;
    const { codes, scales, blocks } = pack(K, N, at, this.#bits);
    const bytes = (BLOCK * this.#bits) / 8;
    const made = [
      this.#initializer(`${weight.name}/packed`, new Tensor('uint8', [N, blocks, bytes], codes)),
      this.#initializer(`${weight.name}/scales`, Tensor.float32([N * blocks], scales)),
    ] as const;
    this.#packed.set(key, made);
    return made;
  }

  #initializer(stem: string, tensor: Tensor): Value {
    const type = { kind: 'tensor', dtype: tensor.dtype, shape: tensor.dims } as const;
    const value = new Value(this.#names.fresh(stem), type, tensor);
    this.#graph.initializers.push(value);
    return value;
  }
}

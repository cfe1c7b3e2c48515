/** @file Element types of values that the file does not state, before shapes are inferred. */

import { intOf } from '../attributes.ts';
import type { DType } from '../dtype.ts';
import type { Graph, Value } from '../graph.ts';
import { dtypeOfNumber } from '../read-type.ts';
import { GraphIndex } from '../uses.ts';

/** Ops whose output's type is that of another input than the first. */
const TYPE_FROM: Readonly<Record<string, number>> = { DequantizeLinear: 1, Where: 1 };

export class ElementTypes {
  readonly #index: GraphIndex;

  constructor(graph: Graph) {
    this.#index = new GraphIndex(graph);
  }

  /** Walk up through ops that keep their input's type, until a type is stated; float32 where none is. */
  of(value: Value): DType {
    const seen = new Set<Value>();
    for (let v: Value | undefined = value; v && !seen.has(v); ) {
      seen.add(v);
      if (v.type?.kind === 'tensor') return v.type.dtype;
      const node = this.#index.producer(v);
      if (node?.op === 'Cast') return dtypeOfNumber(intOf(node, 'to', 1));
      v = node?.inputs[TYPE_FROM[node.op] ?? 0];
    }
    return 'float32';
  }
}

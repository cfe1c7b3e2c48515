/** @file A model whose inputs and outputs are integers, seen as the float model that callers know. */

import { cloneModel } from './clone.ts';
import { type Graph, type Model, type Node, shapeKnown, Value } from './graph.ts';
import { Names } from './names.ts';
import { Tensor } from './tensor.ts';
import { sortNodes } from './topological.ts';
import { replaceUses } from './uses.ts';
import { makeTensor } from './values.ts';

/** metadata_props key under which Lathe writes what the integers of inputs and outputs stand for, as JSON. */
export const IO_KEY = 'lathe.io';

/** x = (q − zeroPoint)·scale. */
export interface PortCodes {
  readonly dtype: 'uint8' | 'int8' | 'uint16' | 'int16';
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Ports that hold integers, by name; empty where there are none, or the record is damaged. */
export function integerPorts({ metadata }: Model): Readonly<Record<string, PortCodes>> {
  try {
    const found: unknown = JSON.parse(metadata[IO_KEY] ?? '{}');
    const entries = Object.entries(found as object).filter(([, port]) => isPort(port));
    return Object.fromEntries(entries) as Record<string, PortCodes>;
  } catch {
    return {};
  }
}

const isPort = (p: Partial<PortCodes> | null): boolean =>
  typeof p?.scale === 'number' &&
  typeof p.zeroPoint === 'number' &&
  /^u?int(8|16)$/.test(String(p.dtype));

/** A copy whose ports are float32 again, rounding included; the model itself where all of them are. */
export function floatFace(model: Model): Model {
  const ports = integerPorts(model);
  if (Object.keys(ports).length === 0) return model;
  const copy = cloneModel(model);
  delete copy.metadata[IO_KEY];
  const { graph } = copy;
  const face = new Face(graph);
  for (const x of [...graph.inputs]) if (ports[x.name]) face.input(x, ports[x.name]!);
  for (const y of [...graph.outputs]) if (ports[y.name]) face.output(y, ports[y.name]!);
  face.finish();
  return copy;
}

class Face {
  readonly #graph: Graph;
  readonly #names: Names;
  readonly #added: Node[] = [];

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#names = new Names(graph);
  }

  input(x: Value, codes: PortCodes): void {
    const inner = new Value(this.#names.fresh(`${x.name}/codes`), x.type);
    replaceUses(this.#graph, x, inner);
    x.type = { kind: 'tensor', dtype: 'float32', shape: shapeKnown(x) };
    this.#node('QuantizeLinear', x, inner, codes);
  }

  output(y: Value, codes: PortCodes): void {
    const { name } = y;
    y.name = this.#names.fresh(`${name}/codes`);
    const outer = new Value(name, { kind: 'tensor', dtype: 'float32', shape: shapeKnown(y) });
    this.#graph.outputs = this.#graph.outputs.map((v) => (v === y ? outer : v));
    this.#node('DequantizeLinear', y, outer, codes);
  }

  #node(op: string, from: Value, to: Value, { dtype, scale, zeroPoint }: PortCodes): void {
    const constant = (stem: string, tensor: Tensor) => {
      const type = { kind: 'tensor', dtype: tensor.dtype, shape: [] } as const;
      const value = new Value(this.#names.fresh(stem), type, tensor);
      this.#graph.initializers.push(value);
      return value;
    };
    const s = constant(`${from.name}/scale`, Tensor.float32([], [scale]));
    const z = constant(`${from.name}/zero_point`, makeTensor(dtype, [], [zeroPoint]));
    const name = this.#names.fresh(`${from.name}/${op}`);
    this.#added.push({ name, op, domain: '', inputs: [from, s, z], outputs: [to], attributes: {} });
  }

  finish(): void {
    this.#graph.nodes.push(...this.#added);
    sortNodes(this.#graph);
  }
}

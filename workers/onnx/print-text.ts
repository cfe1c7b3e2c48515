/** @file Model → text: what a person reads, and what `parseText` reads back. */

import type { Attribute, Graph, Model, Node, Value } from './graph.ts';
import { printElements, printNumber, printShape, printType, quoted } from './text-types.ts';

export interface PrintOptions {
  /** Elements shown of a constant; beyond, `…` stands for the rest and the text cannot be read back. Default: all. */
  readonly elements?: number;
}

/**
 * The text form of a model:
 *
 *     <ir_version: 8, opset_import: ["": 17]>
 *     graph (float[1, 3] X) => (float[1, 2] Y) <float[3, 2] W = {1, 2, 3, 4, 5, 6}> {
 *       Y = MatMul(X, W)
 *     }
 *
 * Docs, metadata of nodes and functions are left out.
 */
export function printText(model: Model, options: PrintOptions = {}): string {
  const opsets = Object.entries(model.opsets).map(([d, v]) => `${JSON.stringify(d)}: ${v}`);
  const header = [`ir_version: ${model.irVersion}`, `opset_import: [${opsets.join(', ')}]`];
  const { name, version } = model.producer;
  if (name) header.push(`producer_name: ${JSON.stringify(name)}`);
  if (version) header.push(`producer_version: ${JSON.stringify(version)}`);
  const metadata = Object.entries(model.metadata);
  if (metadata.length > 0) {
    const entries = metadata.map(([k, v]) => `${JSON.stringify(k)}: ${JSON.stringify(v)}`);
    header.push(`metadata_props: [${entries.join(', ')}]`);
  }
  return `<${header.join(', ')}>\n${new Printer(options).graph(model.graph, '')}\n`;
}

class Printer {
  readonly #most: number;

  constructor({ elements = Number.POSITIVE_INFINITY }: PrintOptions) {
    this.#most = elements;
  }

  graph(graph: Graph, indent: string): string {
    const inner = `${indent}  `;
    const inputs = new Set(graph.inputs);
    const ins = graph.inputs.map((v) => `${this.declared(v)}${this.#default(v)}`);
    const constants = graph.initializers
      .filter((v) => v.constant && !inputs.has(v))
      .map((v) => `\n${inner}${this.declared(v)}${this.#default(v)}`);
    const lines = graph.nodes.map((n, i) => `${inner}${this.node(n, i, graph, inner)}\n`);
    const held = constants.length > 0 ? ` <${constants.join(',')}\n${indent}>` : '';
    const name = graph.name === '' ? '' : `${quoted(graph.name)} `;
    const outs = graph.outputs.map((v) => this.declared(v));
    return `${name}(${ins.join(', ')}) => (${outs.join(', ')})${held} {\n${lines.join('')}${indent}}`;
  }

  #default(value: Value): string {
    return value.constant ? ` = ${printElements(value.constant, this.#most)}` : '';
  }

  declared({ name, type }: Value): string {
    return type?.kind === 'tensor' ? `${printType(type)} ${quoted(name)}` : quoted(name);
  }

  node(node: Node, index: number, graph: Graph, indent: string): string {
    const outputs = node.outputs.map((y) => (y ? this.#made(y, graph) : '""'));
    const inputs = node.inputs.map((x) => (x ? quoted(x.name) : '""'));
    const op = node.domain ? `${node.domain}.${node.op}` : node.op;
    const name = node.name === `${node.op}_${index}` ? '' : `[${JSON.stringify(node.name)}] `;
    const attributes = Object.entries(node.attributes).map(([k, a]) =>
      this.attribute(k, a, indent),
    );
    const listed = attributes.length > 0 ? `<${attributes.join(', ')}>` : '';
    return `${name}${outputs.join(', ')} = ${quoted(op)}${listed}(${inputs.join(', ')})`;
  }

  /** A value between nodes states its type where that is known; outputs did above. */
  #made({ name, type }: Value, graph: Graph): string {
    const stated = graph.outputs.some((v) => v.name === name);
    if (type?.kind !== 'tensor' || stated) return quoted(name);
    const plain = type.dtype === 'float32' && type.shape;
    return `${quoted(name)}:${plain ? printShape(type.shape) : printType(type)}`;
  }

  attribute(name: string, a: Attribute, indent: string): string {
    return `${quoted(name)}${isSaid(a) ? '' : `: ${a.type}`} = ${this.#value(a, indent)}`;
  }

  #value(a: Attribute, indent: string): string {
    switch (a.type) {
      case 'int':
        return String(a.value);
      case 'float':
        return printFloat(a.value);
      case 'ints':
        return `[${a.value.join(', ')}]`;
      case 'floats':
        return `[${a.value.map(printFloat).join(', ')}]`;
      case 'string':
        return printString(a.value);
      case 'strings':
        return `[${a.value.map(printString).join(', ')}]`;
      case 'tensor': {
        const { dtype, dims } = a.value;
        return `${printType({ kind: 'tensor', dtype, shape: dims })} ${printElements(a.value, this.#most)}`;
      }
      case 'graph':
        return this.graph(a.value, indent);
      case 'graphs':
        return `[${a.value.map((g) => this.graph(g, indent)).join(', ')}]`;
      default:
        return JSON.stringify(Buffer.from(a.bytes).toString('hex'));
    }
  }
}

/** Whether a value says by its looks of which kind it is. */
function isSaid(a: Attribute): boolean {
  if (a.type === 'ints' || a.type === 'floats' || a.type === 'strings') return a.value.length > 0;
  return a.type === 'int' || a.type === 'float' || a.type === 'string';
}

/** A FLOAT shows a point, an exponent, inf or nan; an INT never does. */
function printFloat(x: number): string {
  const text = printNumber(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

const printString = (x: string | Uint8Array) =>
  JSON.stringify(typeof x === 'string' ? x : Buffer.from(x).toString('utf8'));

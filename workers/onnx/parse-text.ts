/** @file Text → Model. */

import { int } from './attributes.ts';
import { type Attribute, emptyModel, type Graph, type Model, type Node, Value } from './graph.ts';
import { Tokens } from './text-tokens.ts';
import { parseElements, parseNumber, parseShape, parseType } from './text-types.ts';

/** Names in reach, those of the graphs around included. */
type Scope = Map<string, Value>;

/** A graph whose nodes are being read. */
interface Making {
  readonly scope: Scope;
  /** Outputs that the signature names. */
  readonly promised: Scope;
  /** Names that nodes made so far. */
  readonly made: Set<string>;
}

/**
 * Read the text form: what `printText` writes, and shorter by hand. The header may be missing (opset 21 then), the
 * graph's name too; nodes without a `["name"]` are called `<Op>_<index>`; `H:[2, 3]` states a float shape,
 * `H:int64[2]` any type; a constant stands in `<float[2] W = {1, 2}>` after the signature.
 *
 *     (float[2,4] A) => (float[2,3] Y) <float[4,3] B = {…}> { Y = Gemm<alpha=0.5>(A, B) }
 *
 * @throws MODEL_INVALID with the line at fault
 */
export function parseText(text: string): Model {
  const tokens = new Tokens(text);
  const model = emptyModel(10, 21);
  if (tokens.sees('<')) readHeader(tokens, model);
  model.graph = new TextReader(tokens).graph(new Map());
  if (tokens.peek()) tokens.fail('the end of the text');
  return model;
}

function readHeader(tokens: Tokens, model: Model): void {
  const texts = (): [string, string][] =>
    tokens.list('[', ']', () => {
      const key = tokens.take('string').text;
      tokens.expect(':');
      return [key, tokens.take('string', 'number').text];
    });
  tokens.list('<', '>', () => {
    const field = tokens.take('word').text;
    tokens.expect(':');
    if (field === 'ir_version') model.irVersion = Number(tokens.take('number').text);
    else if (field === 'opset_import')
      model.opsets = Object.fromEntries(texts().map(([d, v]) => [d, Number(v)]));
    else if (field === 'producer_name') model.producer.name = tokens.take('string').text;
    else if (field === 'producer_version') model.producer.version = tokens.take('string').text;
    else if (field === 'metadata_props') model.metadata = Object.fromEntries(texts());
    else tokens.fail('ir_version, opset_import, producer_name, producer_version or metadata_props');
  });
}

class TextReader {
  readonly #tokens: Tokens;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  graph(outer: Scope): Graph {
    const tokens = this.#tokens;
    const scope: Scope = new Map(outer);
    const graph: Graph = { name: '', inputs: [], outputs: [], nodes: [], initializers: [] };
    if (!tokens.sees('(')) graph.name = tokens.take('word', 'string').text;
    graph.inputs = tokens.list('(', ')', () => this.#declared(scope, graph));
    tokens.expect('=>');
    const own: Scope = new Map();
    const outputs = tokens.list('(', ')', () => this.#declared(own, graph));
    for (const y of outputs) if (scope.get(y.name) === outer.get(y.name)) scope.set(y.name, y);
    if (tokens.sees('<')) tokens.list('<', '>', () => this.#declared(scope, graph));
    tokens.expect('{');
    const making = { scope, promised: own, made: new Set<string>() };
    while (!tokens.accept('}')) graph.nodes.push(this.#node(making, graph.nodes.length));
    graph.outputs = outputs.map((y) => scope.get(y.name)!);
    for (const [i, y] of graph.outputs.entries()) y.type ??= outputs[i]!.type;
    return graph;
  }

  #name(): string {
    return this.#tokens.take('word', 'string').text;
  }

  /** `float[2] X`, `X`, or `float[2] W = {1, 2}`: a constant, kept with the graph's initializers. */
  #declared(scope: Scope, graph: Graph): Value {
    const tokens = this.#tokens;
    const typed = tokens.sees('[', 1) || ['word', 'string'].includes(tokens.peek(1)?.kind ?? '');
    const type = typed ? parseType(tokens) : undefined;
    const name = this.#name();
    const value = new Value(name, type);
    if (tokens.accept('=')) {
      if (type === undefined) tokens.fail('a type before the name of a constant');
      value.constant = parseElements(tokens, type!);
      graph.initializers.push(value);
    }
    scope.set(name, value);
    return value;
  }

  #node(making: Making, index: number): Node {
    const { scope } = making;
    const tokens = this.#tokens;
    let name: string | undefined;
    if (tokens.accept('[')) {
      name = tokens.take('string', 'word').text;
      tokens.expect(']');
    }
    const outputs = [this.#output(making)];
    while (tokens.accept(',')) outputs.push(this.#output(making));
    tokens.expect('=');
    const [op, domain] = splitOp(this.#name());
    const attributes: Record<string, Attribute> = {};
    if (tokens.sees('<')) tokens.list('<', '>', () => this.#attribute(scope, attributes));
    const inputs = tokens.list('(', ')', () => this.#use(scope));
    if (tokens.sees('<')) tokens.list('<', '>', () => this.#attribute(scope, attributes));
    return { name: name ?? `${op}_${index}`, op, domain, inputs, outputs, attributes };
  }

  /** `Y`, `Y:[2, 3]`, `Y:int64[2]`, or `""` for one that is not asked for. */
  #output({ scope, promised, made }: Making): Value | undefined {
    const tokens = this.#tokens;
    const name = this.#name();
    if (name === '') return undefined;
    if (made.has(name)) tokens.fail(`a name other than '${name}', which is made already,`);
    made.add(name);
    const value = promised.get(name) ?? new Value(name);
    scope.set(name, value);
    if (tokens.accept(':')) {
      value.type = tokens.sees('[')
        ? { kind: 'tensor', dtype: 'float32', shape: parseShape(tokens) }
        : parseType(tokens);
    }
    return value;
  }

  #use(scope: Scope): Value | undefined {
    const name = this.#name();
    if (name === '') return undefined;
    return (
      scope.get(name) ??
      this.#tokens.fail(`the name of a value before '${name}', which nothing makes,`)
    );
  }

  #attribute(scope: Scope, into: Record<string, Attribute>): void {
    const tokens = this.#tokens;
    const name = this.#name();
    const kind = tokens.accept(':') ? tokens.take('word').text : undefined;
    tokens.expect('=');
    into[name] = this.#value(scope, kind);
  }

  #value(scope: Scope, kind: string | undefined): Attribute {
    const tokens = this.#tokens;
    if (kind === 'graph') return { type: 'graph', value: this.graph(scope) };
    if (kind === 'graphs')
      return { type: 'graphs', value: tokens.list('[', ']', () => this.graph(scope)) };
    if (kind === 'tensor')
      return { type: 'tensor', value: parseElements(tokens, parseType(tokens)) };
    if (kind === 'opaque')
      return {
        type: 'opaque',
        bytes: Uint8Array.from(Buffer.from(tokens.take('string').text, 'hex')),
      };
    if (!tokens.sees('[')) return scalar(tokens);
    const items = tokens.list('[', ']', () => scalar(tokens));
    const type =
      kind ?? `${items.some((i) => i.type === 'float') ? 'float' : (items[0]?.type ?? 'int')}s`;
    return { type, value: items.map((i) => i.value) } as Attribute;
  }
}

type Scalar = Extract<Attribute, { type: 'int' | 'float' | 'string' }>;

function scalar(tokens: Tokens): Scalar {
  const { kind, text } = tokens.take('number', 'string');
  if (kind === 'string') return { type: 'string', value: text };
  if (!/^[+-]?\d+$/.test(text)) return { type: 'float', value: Math.fround(parseNumber(text)) };
  const value = Number(text);
  return Number.isSafeInteger(value)
    ? (int(value) as Scalar)
    : { type: 'int', value: BigInt(text) };
}

/** `com.microsoft.QGemm` → op and domain. */
function splitOp(text: string): [op: string, domain: string] {
  const dot = text.lastIndexOf('.');
  return dot < 0 ? [text, ''] : [text.slice(dot + 1), text.slice(0, dot)];
}

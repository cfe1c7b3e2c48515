/** @file Words of the text form of ONNX graphs. */

import { ServiceError } from '../../src/contract/errors.ts';

export type Token =
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'number'; readonly text: string; readonly at: number }
  | { readonly kind: 'string'; readonly text: string; readonly at: number }
  | { readonly kind: 'sign'; readonly text: string; readonly at: number };

const WORD = /[A-Za-z_][\w./-]*/y;
const NUMBER = /[+-]?(?:inf\b|nan\b|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SIGN = /=>|[(){}<>[\]=,:?]/y;
const SPACE = /(?:\s+|#[^\n]*)+/y;

/** A name that can stand without quotes. */
export const isPlainWord = (name: string) =>
  /^[A-Za-z_][\w./-]*$/.test(name) && !/^(inf|nan)$/.test(name);

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  const take = (pattern: RegExp) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) at += found.length;
    return found;
  };
  for (;;) {
    take(SPACE);
    if (at >= text.length) return tokens;
    const start = at;
    const number = take(NUMBER);
    const word = number === undefined ? take(WORD) : undefined;
    const string = (number ?? word) === undefined ? take(STRING) : undefined;
    const sign = (number ?? word ?? string) === undefined ? take(SIGN) : undefined;
    if (number !== undefined) tokens.push({ kind: 'number', text: number, at: start });
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, at: start });
    else if (string !== undefined)
      tokens.push({ kind: 'string', text: JSON.parse(string) as string, at: start });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign, at: start });
    else throw textError(text, start, 'a word, number, string or sign');
  }
}

function textError(text: string, at: number, wanted: string): ServiceError {
  const line = text.slice(0, at).split('\n').length;
  const found = text.slice(at, at + 20).split('\n')[0] || 'the end';
  return new ServiceError('MODEL_INVALID', {
    where: `line ${line} of the text`,
    why: `expected ${wanted}, found '${found}'`,
  });
}

/** The words of a text, one at a time. */
export class Tokens {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokenize(text);
  }

  peek(ahead = 0): Token | undefined {
    return this.#tokens[this.#next + ahead];
  }

  /** Whether the next token is this sign or word. */
  sees(text: string, ahead = 0): boolean {
    const token = this.peek(ahead);
    return token !== undefined && token.kind !== 'string' && token.text === text;
  }

  accept(text: string): boolean {
    const found = this.sees(text);
    if (found) this.#next++;
    return found;
  }

  expect(text: string): void {
    if (!this.accept(text)) this.fail(`'${text}'`);
  }

  take(...kinds: readonly Token['kind'][]): Token {
    const token = this.peek();
    if (token === undefined || !kinds.includes(token.kind)) return this.fail(kinds.join(' or '));
    this.#next++;
    return token;
  }

  /** Items between `open` and `close`, commas between them. */
  list<T>(open: string, close: string, item: () => T): T[] {
    const items: T[] = [];
    this.expect(open);
    while (!this.accept(close)) {
      if (items.length > 0) {
        this.expect(',');
        if (this.accept(close)) break;
      }
      items.push(item());
    }
    return items;
  }

  fail(wanted: string): never {
    throw textError(this.#text, this.peek()?.at ?? this.#text.length, wanted);
  }
}

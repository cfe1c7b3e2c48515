/** @file Python literals as exporters leave them in metadata: `{0: 'person', 1: "it's"}`, `[320, 320]`. Nothing is evaluated. */

export type Literal = string | number | boolean | null | Literal[] | Map<string | number, Literal>;

const LONGEST = 2 ** 20;
const DEEPEST = 16;
const WORDS: Readonly<Record<string, boolean | null>> = {
  True: true,
  False: false,
  None: null,
  true: true,
  false: false,
  null: null,
};
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0' };

/** @returns undefined where the text is not one literal of dicts, lists, tuples, strings, numbers, booleans, None */
export function parseLiteral(text: string): Literal | undefined {
  if (text.length > LONGEST) return undefined;
  const reader = new Reader(text);
  const value = reader.value(0);
  return value !== undefined && reader.atEnd() ? value : undefined;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#space();
    return this.#at >= this.#text.length;
  }

  value(depth: number): Literal | undefined {
    this.#space();
    const c = this.#text[this.#at];
    if (c === undefined || depth > DEEPEST) return undefined;
    if (c === '{') return this.#dict(depth);
    if (c === '[') return this.#list(']', depth);
    if (c === '(') return this.#list(')', depth);
    if (c === "'" || c === '"') return this.#string(c);
    return this.#word();
  }

  #space(): void {
    while (/\s/.test(this.#text[this.#at] ?? '')) this.#at++;
  }

  #take(c: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #list(close: string, depth: number): Literal[] | undefined {
    this.#at++;
    const items: Literal[] = [];
    while (!this.#take(close)) {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      items.push(item);
      if (!this.#take(',') && this.#text[this.#at] !== close) return undefined;
    }
    return items;
  }

  #dict(depth: number): Map<string | number, Literal> | undefined {
    this.#at++;
    const entries = new Map<string | number, Literal>();
    while (!this.#take('}')) {
      const key = this.value(depth + 1);
      if ((typeof key !== 'string' && typeof key !== 'number') || !this.#take(':'))
        return undefined;
      const value = this.value(depth + 1);
      if (value === undefined) return undefined;
      entries.set(key, value);
      if (!this.#take(',') && this.#text[this.#at] !== '}') return undefined;
    }
    return entries;
  }

  #string(quote: string): string | undefined {
    let result = '';
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const c = this.#text[this.#at]!;
      if (c === quote) {
        this.#at++;
        return result;
      }
      result += c === '\\' ? this.#escape() : c;
    }
    return undefined;
  }

  #escape(): string {
    const c = this.#text[++this.#at] ?? '';
    const digits = c === 'x' ? 2 : c === 'u' ? 4 : 0;
    if (digits === 0) return ESCAPES[c] ?? c;
    const code = Number.parseInt(this.#text.slice(this.#at + 1, this.#at + 1 + digits), 16);
    this.#at += digits;
    return Number.isNaN(code) ? '' : String.fromCharCode(code);
  }

  #word(): Literal | undefined {
    const word = /^[\w.+-]+/.exec(this.#text.slice(this.#at, this.#at + 64))?.[0] ?? '';
    this.#at += word.length;
    if (Object.hasOwn(WORDS, word)) return WORDS[word]!;
    return word !== '' && Number.isFinite(Number(word)) ? Number(word) : undefined;
  }
}

/** @file Kinds of environment variables: how each is read, and what is valid. */

/** How one variable is read. `parse` throws what would be valid. */
export interface Variable<T> {
  readonly description: string;
  readonly fallback: T;
  readonly parse: (text: string) => T;
}

export const text = (fallback: string, description: string): Variable<string> => ({
  description,
  fallback,
  parse: (value) => value,
});

export const integer = (
  fallback: number,
  [least, most]: readonly [number, number],
  description: string,
): Variable<number> => ({
  description,
  fallback,
  parse(value) {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most)
      throw new RangeError(`an integer from ${least} to ${most}`);
    return number;
  },
});

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** 4294967296, 4096m, 4g, 4GiB. */
export const bytes = (fallback: number, least: number, description: string): Variable<number> => ({
  description,
  fallback,
  parse(value) {
    const [, digits, unit = ''] = /^(\d+)\s*([kmg]?)(?:i?b)?$/i.exec(value) ?? [];
    const number = Number(digits) * UNITS[unit.toLowerCase()]!;
    if (!Number.isSafeInteger(number) || number < least)
      throw new RangeError(
        `a number of bytes, at least ${least}, or one with k, m or g, such as 4g`,
      );
    return number;
  },
});

export const flag = (description: string): Variable<boolean> => ({
  description,
  fallback: false,
  parse(value) {
    if (value !== '0' && value !== '1') throw new RangeError('0 or 1');
    return value === '1';
  },
});

export const oneOf = <const V extends string>(
  values: readonly V[],
  fallback: V,
  description: string,
): Variable<V> => ({
  description,
  fallback,
  parse(value) {
    const found = values.find((v) => v === value);
    if (found === undefined) throw new RangeError(`one of ${values.join(', ')}`);
    return found;
  },
});

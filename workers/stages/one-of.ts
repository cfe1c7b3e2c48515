/** @file Enum options whose values are the keys of a registry. */

import { type TSchemaOptions, Type } from 'typebox';

export const keysOf = <K extends string>(registry: Readonly<Record<K, unknown>>): K[] =>
  Object.keys(registry) as K[];

/** One of `values`, as JSON Schema's enum. */
export const oneOf = <V extends string>(
  values: readonly V[],
  options: TSchemaOptions & { default: NoInfer<V> },
) => Type.Enum([...values], options);

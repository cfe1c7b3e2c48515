/** @file From schema violations to errors that people can act on: a JSON Pointer, what was found, what is valid. */

import { Ajv, type ErrorObject, type SchemaObject, type ValidateFunction } from 'ajv';

import { nearest } from './nearest.ts';
import type { FieldError } from './problem.ts';

/** Faults that are told: nobody mends more at once, and each costs time to word. */
const MOST_TOLD = 100;

/** Strict about values: nothing is dropped, nothing converted. */
const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, validateFormats: false });
const filling = new Ajv({
  allErrors: true,
  strict: false,
  validateFormats: false,
  useDefaults: true,
});
const compiled = new WeakMap<object, ValidateFunction>();
const fillers = new WeakMap<object, ValidateFunction>();

export function validator(schema: object): ValidateFunction {
  const known = compiled.get(schema);
  if (known) return known;
  const made = ajv.compile(withoutId(schema));
  compiled.set(schema, made);
  return made;
}

/** Compiled once: a stage's schema takes longer than all else that is done with a spec. */
function filler(schema: object): ValidateFunction {
  const known = fillers.get(schema);
  if (known) return known;
  const made = filling.compile(withoutId(schema));
  fillers.set(schema, made);
  return made;
}

/** `value` with the defaults of its schema filled in, all the way down; `value` itself stays as it is. */
export function withDefaults<T extends object>(schema: object, value: T): T {
  const filled = structuredClone(value);
  filler(schema)(filled);
  return filled;
}

/** Ajv keeps every schema with an $id and refuses the second of the same name. */
const withoutId = (schema: object): SchemaObject => {
  const { $id: _, ...rest } = schema as SchemaObject;
  return rest;
};

/**
 * @param at JSON Pointer of `value` in the whole document
 * @returns one entry per fault, of the first hundred; none: the value is valid
 */
export function schemaErrors(schema: object, value: unknown, at = ''): FieldError[] {
  const validate = validator(schema);
  if (validate(value)) return [];
  const all = (validate.errors ?? []).slice(0, MOST_TOLD);
  const found = all.filter((error) => !insideUnion(error, all));
  const told = found.map((error) => fieldError(error, at));
  return [...new Map(told.map((error) => [error.pointer, error])).values()];
}

/** A failed union says everything once; what its branches say is left out. */
function insideUnion(error: ErrorObject, all: readonly ErrorObject[]): boolean {
  return all.some(
    (other) =>
      (other.keyword === 'anyOf' || other.keyword === 'oneOf') &&
      other !== error &&
      error.schemaPath.startsWith(`${other.schemaPath}/`),
  );
}

function fieldError(error: ErrorObject, at: string): FieldError {
  const { keyword, params, data, parentSchema = {} } = error;
  const pointer = at + error.instancePath;
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty']);
    return { pointer: `${pointer}/${escaped(name)}`, detail: unknownField(name, parentSchema) };
  }
  if (keyword === 'required') {
    return { pointer: `${pointer}/${escaped(params['missingProperty'])}`, detail: 'is required' };
  }
  const valid = validValues(parentSchema);
  return { pointer, detail: `is ${shown(data)}; valid is ${valid}${meant(data, parentSchema)}` };
}

/** `~` and `/` as RFC 6901 writes them. */
const escaped = (name: unknown): string => String(name).replaceAll('~', '~0').replaceAll('/', '~1');

function unknownField(name: string, schema: Record<string, unknown>): string {
  const valid = Object.keys((schema['properties'] as object | undefined) ?? {});
  const near = nearest(name, valid);
  const hint = near ? `did you mean '${near}'? ` : '';
  return `is not a known field: ${hint}valid are ${valid.join(', ') || 'none'}`;
}

function meant(data: unknown, schema: Record<string, unknown>): string {
  const values = schema['enum'];
  if (typeof data !== 'string' || !Array.isArray(values)) return '';
  const near = nearest(data, values.map(String));
  return near ? `: did you mean '${near}'?` : '';
}

const shown = (data: unknown): string => {
  const text = JSON.stringify(data) ?? String(data);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
};

/** What a schema accepts, in words. */
export function validValues(schema: Record<string, unknown>): string {
  if (Array.isArray(schema['enum'])) return schema['enum'].map(shown).join(', ');
  if ('const' in schema) return shown(schema['const']);
  for (const union of ['anyOf', 'oneOf']) {
    const branches = schema[union];
    if (Array.isArray(branches)) return branches.map(validValues).join(' or ');
  }
  const parts = BOUNDS.flatMap(([key, words]) => (key in schema ? [words(schema[key])] : []));
  return [typeWords(schema['type']), parts.join(' and ')].filter(Boolean).join(' ');
}

function typeWords(type: unknown): string {
  if (Array.isArray(type)) return type.map(typeWords).join(' or ');
  return typeof type === 'string'
    ? `${/^[aeio]/.test(type) ? 'an' : 'a'} ${type}`
    : 'another value';
}

const BOUNDS: readonly (readonly [string, (limit: unknown) => string])[] = [
  ['minimum', (n) => `≥ ${n}`],
  ['exclusiveMinimum', (n) => `> ${n}`],
  ['maximum', (n) => `≤ ${n}`],
  ['exclusiveMaximum', (n) => `< ${n}`],
  ['minItems', (n) => `with at least ${n} items`],
  ['maxItems', (n) => `with at most ${n} items`],
  ['minLength', (n) => `of at least ${n} characters`],
  ['maxLength', (n) => `of at most ${n} characters`],
  ['pattern', (p) => `that matches ${p}`],
];

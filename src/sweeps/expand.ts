/** @file From the spec of a sweep to the specs of its jobs. */

import { ServiceError } from '../contract/errors.ts';
import { schemaErrors } from '../contract/schema-errors.ts';
import { MOST_POINTS, SweepSpec } from '../contract/sweep.ts';

export interface Point {
  /** What differs from the other jobs. */
  readonly point: Readonly<Record<string, unknown>>;
  /** The spec of the job, as a client would send it. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where in the sweep's spec a fault of this job's lies. */
  readonly pointer: string;
}

type Fields = Readonly<Record<string, unknown>>;

const fault = (pointer: string, detail: string) =>
  new ServiceError('SPEC_INVALID', { errors: [{ pointer, detail }] });

/** @throws SPEC_INVALID */
export function expandSweep(raw: unknown): Point[] {
  const shape = schemaErrors(SweepSpec, raw);
  if (shape.length > 0) throw new ServiceError('SPEC_INVALID', { errors: shape });
  const { grid, specs, rankBy: _, ...base } = raw as SweepSpec;
  if ((grid === undefined) === (specs === undefined))
    throw fault('', "needs one of 'grid' (JSON Pointer → values) and 'specs' (a list)");
  return specs
    ? specs.map((own, i) => ({ point: own, spec: { ...base, ...own }, pointer: `/specs/${i}` }))
    : gridPoints(base, grid!);
}

/** Every combination, the last pointer varying fastest. */
function gridPoints(base: Fields, grid: Readonly<Record<string, readonly unknown[]>>): Point[] {
  const sizes = Object.values(grid).map((values) => values.length);
  const count = sizes.reduce((product, size) => product * size, 1);
  if (count > MOST_POINTS)
    throw fault(
      '/grid',
      `makes ${count} jobs (${sizes.join(' × ')}); at most ${MOST_POINTS} may be`,
    );
  let points: Fields[] = [{}];
  for (const [pointer, values] of Object.entries(grid))
    points = points.flatMap((point) => values.map((value) => ({ ...point, [pointer]: value })));
  return points.map((point) => ({ point, spec: placed(base, point), pointer: '/grid' }));
}

function placed(base: Fields, point: Fields): Fields {
  const spec = structuredClone(base) as Record<string, unknown>;
  for (const [pointer, value] of Object.entries(point)) place(spec, pointer, value);
  return spec;
}

/** RFC 6901. Objects on the way that are not there are made; entries of lists must be there. */
function place(spec: Record<string, unknown>, pointer: string, value: unknown): void {
  const keys = pointer
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = keys.pop()!;
  let at: Record<string, unknown> = spec;
  for (const key of keys) {
    if (!Object.hasOwn(at, key) && !Array.isArray(at)) at[key] = {};
    const next = Object.hasOwn(at, key) ? at[key] : undefined;
    if (typeof next !== 'object' || next === null) throw leadsNowhere(pointer, key);
    at = next as Record<string, unknown>;
  }
  const forbidden = last === '__proto__' || (Array.isArray(at) && !Object.hasOwn(at, last));
  if (forbidden) throw leadsNowhere(pointer, last);
  at[last] = structuredClone(value);
}

const leadsNowhere = (pointer: string, key: string) =>
  fault('/grid', `'${pointer}' leads nowhere in the job spec: there is no '${key}' to set`);

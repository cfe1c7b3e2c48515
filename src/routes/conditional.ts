/** @file Conditional requests (RFC 9110, section 13) and single ranges (section 14). */

import { ServiceError } from '../contract/errors.ts';
import type { ByteRange } from '../storage/artifact-store.ts';

/** Whether an If-None-Match header names this entity tag: weakly, as that header compares. */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return header.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
}

/**
 * @param ifRange an entity tag: the range counts only for that version of the file
 * @returns undefined: the whole file (no range, a unit or form that we do not serve, several ranges)
 * @throws RANGE_NOT_SATISFIABLE
 */
export function rangeOf(
  header: string | undefined,
  ifRange: string | undefined,
  etag: string,
  bytes: number,
): ByteRange | undefined {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (ifRange !== undefined && ifRange.trim() !== etag) return undefined;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  if (start >= bytes || (first === '' && Number(last) === 0))
    throw new ServiceError('RANGE_NOT_SATISFIABLE', { range: header!, bytes });
  return { start, end };
}

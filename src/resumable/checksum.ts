/** @file The tus extension `checksum`: a part that came otherwise than it was sent is not kept. */

import { createHash, type Hash } from 'node:crypto';

import { ServiceError } from '../contract/errors.ts';

/** As tus names them; sha1 is the one that every server must know. */
export const CHECKSUM_ALGORITHMS = ['sha256', 'sha1', 'md5'] as const;

export interface Checksum {
  readonly hash: Hash;
  /** Base64. */
  readonly expected: string;
  readonly algorithm: string;
}

/**
 * @param header `Upload-Checksum: sha256 <base64>`
 * @throws UPLOAD_INVALID
 */
export function parseChecksum(header: string | undefined): Checksum | undefined {
  if (header === undefined) return undefined;
  const [, algorithm, expected] = /^(\w+) ([A-Za-z0-9+/]+={0,2})$/.exec(header.trim()) ?? [];
  const known = CHECKSUM_ALGORITHMS.find((name) => name === algorithm);
  if (known === undefined || expected === undefined) {
    const valid = `one of ${CHECKSUM_ALGORITHMS.join(', ')}, a blank, and base64`;
    throw new ServiceError('UPLOAD_INVALID', {
      why: `Upload-Checksum is '${header.slice(0, 100)}'; valid is ${valid}`,
    });
  }
  return { hash: createHash(known), expected, algorithm: known };
}

/** @throws UPLOAD_CHECKSUM_MISMATCH */
export function verify({ hash, expected, algorithm }: Checksum): void {
  const found = hash.digest('base64');
  if (found === expected) return;
  throw new ServiceError('UPLOAD_CHECKSUM_MISMATCH', {
    expected: `${algorithm} ${expected}`,
    found: `${algorithm} ${found}`,
  });
}

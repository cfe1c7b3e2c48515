/** @file Digests: the names of models, data sets and artifacts, and the Repr-Digest header (RFC 9530). */

import { Type } from 'typebox';

export type Digest = `sha256:${string}`;

export const DIGEST_PATTERN = '^sha256:[0-9a-f]{64}$';
const SHA256 = new RegExp(DIGEST_PATTERN);

export const DigestSchema = Type.String({
  pattern: DIGEST_PATTERN,
  description: 'sha256: and 64 lower-case hexadecimal digits.',
});

export const isDigest = (text: unknown): text is Digest =>
  typeof text === 'string' && SHA256.test(text);

/** The 64 hexadecimal digits. */
export const hexOf = (digest: string): string => digest.slice('sha256:'.length);

/** `sha-256=:<base64>:`, as sent with downloads. */
export const reprDigest = (digest: string): string =>
  `sha-256=:${Buffer.from(hexOf(digest), 'hex').toString('base64')}:`;

/**
 * The SHA-256 that a client says its upload has.
 *
 * @param header a dictionary such as `sha-512=:…:, sha-256=:…:`; other algorithms are passed over
 * @returns undefined: it names no SHA-256 · null: it names one that is none
 */
export function parseReprDigest(header: string): Digest | null | undefined {
  const entry = header
    .split(',')
    .map((part) => part.trim())
    .find((part) => part.toLowerCase().startsWith('sha-256='));
  if (entry === undefined) return undefined;
  const base64 = /^sha-256=:([A-Za-z0-9+/]{43}=):/i.exec(entry)?.[1];
  return base64 === undefined ? null : `sha256:${Buffer.from(base64, 'base64').toString('hex')}`;
}

/** @file The record of an upload: how it begins, what is shown of it, when it expires. */

import { isDigest } from '../contract/digest.ts';
import { ServiceError } from '../contract/errors.ts';
import { TRANSFER_KINDS, type TransferKind, type UploadView } from '../contract/transfer.ts';
import { cleanName } from '../intake/file-name.ts';
import type { TransferRecord } from '../records/transfers.ts';

const HOUR = 3_600_000;

/** Metadata of a tus upload: `kind`, and if they are given `filename` (or `name`) and `sha256`. */
export type Metadata = Readonly<Record<string, string | null>>;

export interface Begun {
  readonly id: string;
  readonly tenant: string;
  readonly kind: TransferKind;
  readonly name: string | null;
  readonly sha256: string | null;
  readonly length: number | null;
}

/** @throws UPLOAD_INVALID */
export function kindOf({ kind }: Metadata): TransferKind {
  const known = TRANSFER_KINDS.find((name) => name === kind);
  if (known !== undefined) return known;
  const found = kind == null ? 'is missing' : `is '${kind}'`;
  throw new ServiceError('UPLOAD_INVALID', {
    why: `'kind' in Upload-Metadata ${found}; valid are ${TRANSFER_KINDS.join(', ')}`,
  });
}

/** With or without `sha256:`. @throws UPLOAD_INVALID */
export function digestIn({ sha256 }: Metadata): string | null {
  if (sha256 == null) return null;
  const digest = sha256.startsWith('sha256:') ? sha256 : `sha256:${sha256}`;
  if (isDigest(digest)) return digest;
  const why = `'sha256' in Upload-Metadata is '${sha256.slice(0, 100)}'; valid are 64 lower-case hexadecimal digits`;
  throw new ServiceError('UPLOAD_INVALID', { why });
}

export const nameIn = ({ filename, name }: Metadata): string | null => cleanName(filename ?? name);

export const metadataOf = ({ kind, name, sha256 }: TransferRecord): Record<string, string> => ({
  kind,
  ...(name !== null && { filename: name }),
  ...(sha256 !== null && { sha256 }),
});

/** Of an upload that gets no byte from now on. */
export const expiryOf = (hours: number): string =>
  new Date(Date.now() + hours * HOUR).toISOString();

export function newUpload(begun: Begun, hours: number): TransferRecord {
  const now = new Date().toISOString();
  return {
    ...begun,
    status: 'receiving',
    offset: 0,
    source: null,
    result: null,
    error: null,
    createdAt: now,
    changedAt: now,
    finishedAt: null,
    expiresAt: expiryOf(hours),
  };
}

export function resultOf({ kind, result }: TransferRecord) {
  return result === null ? null : { id: result, href: `/v1/${kind}s/${result}` };
}

export function uploadView(record: TransferRecord): UploadView {
  const { id, kind, name, sha256, status, offset, length, error } = record;
  const { createdAt, finishedAt, expiresAt } = record;
  const told = { id, kind, name, sha256, status, offset, length };
  return { ...told, result: resultOf(record), error, createdAt, finishedAt, expiresAt };
}

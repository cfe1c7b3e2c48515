/** @file Files from buckets that the operator has opened: they are read with this server's own credentials. */

import { ServiceError } from '../contract/errors.ts';
import { Bucket, isMissing, saidBy } from '../storage/bucket.ts';
import { type Fetched, type ImportSource, noFile, refused, unreachable } from './source.ts';

export interface S3SourceSettings {
  /** `bucket` or `bucket/prefix`. */
  readonly allowed: readonly string[];
  /** Where Lathe keeps the files of all tenants, if that is a bucket: never imported from. */
  readonly own: string;
  readonly endpoint: string;
  readonly region: string;
}

const S3_URL = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/(.+)$/s;

export class S3Source implements ImportSource {
  readonly #settings: S3SourceSettings;
  readonly #buckets = new Map<string, Bucket>();

  constructor(settings: S3SourceSettings) {
    this.#settings = settings;
  }

  async check(url: string): Promise<void> {
    this.#located(url);
  }

  async open(url: string): Promise<Fetched> {
    const { bucket, key } = this.#located(url);
    try {
      const { body, bytes = null } = await this.#open(bucket).get(key);
      return { body: bytesOf(url, body), total: bytes };
    } catch (error) {
      if (isMissing(error)) throw noFile(url, 'there is no such object');
      if (error instanceof ServiceError) throw unreachable(url, error.message, error);
      throw noFile(url, saidBy(error));
    }
  }

  /** @throws IMPORT_SOURCE_REFUSED */
  #located(url: string): { readonly bucket: string; readonly key: string } {
    const [, bucket, key] = S3_URL.exec(url) ?? [];
    if (bucket === undefined || key === undefined)
      throw refused(url, 'it is no s3://bucket/key address');
    if (bucket === this.#settings.own)
      throw refused(url, 'it is the bucket of this server, which holds the files of every tenant');
    const open = this.#settings.allowed.some((entry) => within(`${bucket}/${key}`, entry));
    if (!open) throw refused(url, `'${bucket}' is not a bucket that this server imports from`);
    return { bucket, key };
  }

  #open(bucket: string): Bucket {
    const { endpoint, region } = this.#settings;
    const known = this.#buckets.get(bucket) ?? new Bucket({ bucket, endpoint, region });
    this.#buckets.set(bucket, known);
    return known;
  }
}

/** `models` opens all of the bucket models; `models/team` what lies below team. */
const within = (path: string, entry: string) => path.startsWith(`${entry.replace(/\/+$/, '')}/`);

async function* bytesOf(url: string, body: AsyncIterable<Uint8Array>) {
  try {
    yield* body;
  } catch (error) {
    throw unreachable(url, (error as Error).message, error);
  }
}

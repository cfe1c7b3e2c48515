/** @file Data sets of a tenant. */

import type { Redis } from 'ioredis';

import type { DatasetInfo } from '../contract/inspection.ts';
import { Catalog, type CatalogEntry } from './catalog.ts';

/** `blob` is the archive as uploaded; `id` is the digest of its manifest. */
export interface DatasetRecord extends CatalogEntry {
  /** What inspection found: the answer of GET /v1/datasets/{id}. */
  readonly info: DatasetInfo;
}

export class Datasets extends Catalog<DatasetRecord> {
  constructor(redis: Redis, prefix: string) {
    super(redis, prefix, 'datasets');
  }
}

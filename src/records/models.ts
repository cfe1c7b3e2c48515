/** @file Models of a tenant. */

import type { Redis } from 'ioredis';

import type { ModelInfo } from '../contract/inspection.ts';
import { Catalog, type CatalogEntry } from './catalog.ts';

export interface ModelRecord extends CatalogEntry {
  /** What inspection found: the answer of GET /v1/models/{id}. */
  readonly info: ModelInfo;
}

export class Models extends Catalog<ModelRecord> {
  constructor(redis: Redis, prefix: string) {
    super(redis, prefix, 'models');
  }
}

/** @file Imports: files that this server fetches itself, in the background, into models and data sets. */

import { ServiceError } from '../contract/errors.ts';
import { newImportId } from '../contract/ids.ts';
import type { ImportView, NewImport } from '../contract/transfer.ts';
import type { IntakeNeeds } from '../intake/take.ts';
import { type Closable, type RetriedQueue, retried, type Tried } from '../queue/bullmq.ts';
import { Lease } from '../records/lease.ts';
import type { Redis } from '../records/redis.ts';
import { OVER, type TransferRecord, type Transfers } from '../records/transfers.ts';
import type { Seal } from '../secrets/seal.ts';
import type { Uploads } from '../storage/uploads.ts';
import { ImportRun } from './import-run.ts';
import { type Sources, sourceOf } from './registry.ts';
import { nameOf, shownUrl } from './source.ts';

export interface ImportNeeds extends IntakeNeeds {
  readonly redis: Redis;
  /** A connection for the queue. */
  readonly steady: Redis;
  readonly prefix: string;
  readonly transfers: Transfers;
  readonly sources: Sources;
  readonly uploads: Uploads;
  readonly seal: Seal;
  /** Largest file of each kind, in bytes. */
  readonly most: Readonly<Record<TransferRecord['kind'], number>>;
  /** Longest time of one. */
  readonly seconds: number;
  /** Channel on which changes of records are told. */
  readonly changed: string;
  readonly closing: AbortSignal;
  readonly onError: (error: Error) => void;
}

/** Unfinished imports of a tenant. */
export const MOST_IMPORTS = 100;

/** Of one process. */
const AT_ONCE = 2;

/** Tries of one import; a server that stops uses one up too. */
const TRIES = 10;
const TRIES_OF_SOURCE = 3;
const PAUSE_MS = 2000;

const DAY_MS = 86_400_000;
/** An import that says nothing for so long is worked on by nobody. */
const SILENT_MS = 60_000;
/** One that waits so long may have been lost between record and queue. */
const WAITED_MS = 600_000;

interface Named {
  readonly tenant: string;
  readonly id: string;
}

export class Imports implements Closable {
  readonly #needs: ImportNeeds;
  readonly #queue: RetriedQueue<Named>;

  /** Starts working on what is queued. */
  constructor(needs: ImportNeeds) {
    this.#needs = needs;
    const work = {
      name: 'imports',
      tries: TRIES,
      concurrency: AT_ONCE,
      work: (named: Named, failures: number) => this.#try(named, failures),
    };
    this.#queue = retried(needs.steady, needs.prefix, work, needs.onError);
  }

  /**
   * Queue an import. A digest that the tenant has already is answered at once.
   *
   * @throws IMPORT_SOURCE_REFUSED · TOO_MANY_IMPORTS
   */
  async add(tenant: string, asked: NewImport): Promise<TransferRecord> {
    const { transfers, sources, seal } = this.#needs;
    await sourceOf(sources, asked.url).check(asked.url);
    const open = (await transfers.list(tenant)).filter(({ status }) => !OVER.has(status));
    if (open.length >= MOST_IMPORTS)
      throw new ServiceError('TOO_MANY_IMPORTS', { limit: MOST_IMPORTS });
    const now = new Date().toISOString();
    const has = asked.sha256 === undefined ? undefined : await this.#known(tenant, asked);
    const record: TransferRecord = {
      ...{ id: newImportId(), tenant, kind: asked.kind },
      name: asked.name ?? nameOf(asked.url),
      sha256: asked.sha256 ?? null,
      status: has === undefined ? 'queued' : 'succeeded',
      offset: 0,
      length: null,
      source: { shown: shownUrl(asked.url), sealed: seal.seal(asked.url) },
      result: has ?? null,
      ...{ error: null, createdAt: now, changedAt: now },
      finishedAt: has === undefined ? null : now,
      expiresAt: new Date(Date.now() + 7 * DAY_MS).toISOString(),
    };
    await transfers.add(record);
    if (has === undefined) await this.#queue.add(record.id, { tenant, id: record.id });
    return record;
  }

  get(tenant: string, id: string): Promise<TransferRecord | undefined> {
    return this.#needs.transfers.get(tenant, id);
  }

  /** Newest first. */
  list(tenant: string): Promise<TransferRecord[]> {
    return this.#needs.transfers.list(tenant);
  }

  /** Forget it; whoever works on it finds out within a second, and stops. @returns whether it was there */
  remove(tenant: string, id: string): Promise<boolean> {
    return this.#needs.transfers.remove(tenant, id);
  }

  /** Forget what has expired; queue again what nobody works on. */
  async sweep(now = Date.now()): Promise<void> {
    const { transfers } = this.#needs;
    for (const { tenant, id } of await transfers.expired(now)) await this.remove(tenant, id);
    for (const { tenant, id, status, changedAt } of await transfers.all()) {
      const silent = now - Date.parse(changedAt);
      if (OVER.has(status) || silent < (status === 'queued' ? WAITED_MS : SILENT_MS)) continue;
      await this.#queue.add(`${id}-${Math.floor(now / WAITED_MS)}`, { tenant, id });
    }
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }

  async #known(tenant: string, { kind, sha256 }: NewImport): Promise<string | undefined> {
    const { models, datasets, store } = this.#needs;
    const known =
      kind === 'model'
        ? await models.get(tenant, sha256!)
        : await datasets.withBlob(tenant, sha256!);
    return known && (await store.head(known.blob)) ? known.id : undefined;
  }

  async #try({ tenant, id }: Named, failures: number): Promise<Tried> {
    const { redis, prefix, transfers, closing } = this.#needs;
    const lease = await Lease.take(redis, `${prefix}:imports:running:${id}`);
    if (!lease) return 'done'; // somebody is at it
    try {
      const record = await transfers.get(tenant, id);
      if (!record || OVER.has(record.status)) return 'done';
      const run = new ImportRun(this.#needs, record, AbortSignal.any([closing, lease.lost]));
      const why = await run.once(failures + 1 < TRIES_OF_SOURCE);
      return why === undefined ? 'done' : { again: why, after: PAUSE_MS * 2 ** failures };
    } finally {
      await lease.release();
    }
  }
}

export function importView(record: TransferRecord): ImportView {
  const { id, kind, name, sha256, status, offset, length, source, result, error } = record;
  const { createdAt, finishedAt, expiresAt } = record;
  return {
    ...{ id, kind, url: source?.shown ?? '', name, sha256, bytes: offset, total: length },
    progress: length === null ? null : length === 0 ? 1 : Math.min(1, offset / length),
    status,
    result: result === null ? null : { id: result, href: `/v1/${kind}s/${result}` },
    ...{ error, createdAt, finishedAt, expiresAt },
  };
}

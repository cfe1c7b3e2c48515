/** @file What routes work with: given to them by whoever builds the application. */

import type { JobSpec } from '../contract/job.ts';
import type { StageDocument } from '../contract/stage-document.ts';
import type { Imports } from '../imports/imports.ts';
import type { Inspector } from '../inspection/inspector.ts';
import type { JobService } from '../queue/job-service.ts';
import type { Audit } from '../records/audit.ts';
import type { Datasets } from '../records/datasets.ts';
import type { JobEvents } from '../records/events.ts';
import type { Idempotency } from '../records/idempotency.ts';
import type { Keys } from '../records/keys.ts';
import type { Models } from '../records/models.ts';
import type { Pins } from '../records/pins.ts';
import type { Quotas } from '../records/quotas.ts';
import type { Workers } from '../records/workers.ts';
import type { Resumable } from '../resumable/resumable.ts';
import type { ArtifactStore } from '../storage/artifact-store.ts';
import type { Uploads } from '../storage/uploads.ts';
import type { SweepService } from '../sweeps/sweep-service.ts';
import type { Traces } from '../traces/traces.ts';
import type { Webhooks } from '../webhooks/webhooks.ts';

export interface Limits {
  /** Largest upload of a model and of a data set, in bytes. */
  readonly modelBytes: number;
  readonly datasetBytes: number;
  /** Disk space below which the server is not ready. */
  readonly freeBytes: number;
}

export interface Collaborators {
  readonly service: JobService;
  readonly sweeps: SweepService;
  readonly events: JobEvents;
  readonly models: Models;
  readonly datasets: Datasets;
  readonly store: ArtifactStore;
  readonly uploads: Uploads;
  readonly pins: Pins;
  readonly resumable: Resumable;
  readonly imports: Imports;
  readonly inspector: Inspector;
  readonly stages: StageDocument;
  /** Names what decides the result of a planned job; null: it must run. */
  readonly resultKey: (spec: JobSpec) => string | null;
  readonly webhooks: Webhooks;
  readonly limits: Limits;
  readonly quotas: Quotas;
  /** Of LATHE_API_KEYS. */
  readonly tenants: readonly string[];
  readonly workers: Workers;
  readonly traces: Traces;
  readonly idempotency: Idempotency;
  readonly keys: Keys;
  readonly audit: Audit;
  /** What all processes have counted together, as Prometheus reads it. */
  readonly figures: () => Promise<string>;
  /** Throws where Redis does not answer. */
  readonly pingRedis: () => Promise<unknown>;
  /** A job is to be forgotten as soon as it has ended, with its files. */
  readonly purge: (tenant: string, id: string) => Promise<void>;
  /** Aborted when the server is about to stop: whoever waits for something answers now. */
  readonly closing: AbortSignal;
}

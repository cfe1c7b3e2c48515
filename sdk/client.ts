/** @file A small typed client of the Lathe API over fetch: submit, follow, download. */

import type { components } from './schema.ts';
import { type ServerEvent, serverEvents } from './server-events.ts';

export type JobView = components['schemas']['Job'];
export type Problem = components['schemas']['Problem'];
export type ModelView = components['schemas']['Model'];
export type DatasetView = components['schemas']['Dataset'];

export interface ClientOptions {
  /** Address of the server, such as http://127.0.0.1:8080. */
  readonly url: string;
  readonly apiKey?: string | undefined;
}

/** A file to send. On Node, `await openAsBlob(path)` reads it as it is sent. */
export interface NamedBlob {
  readonly data: Blob;
  readonly name: string;
}

/** The server answered with an error: `problem` says which. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.status = problem.status;
    this.problem = problem;
  }
}

/** Nobody answered at all. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';
}

export interface Artifact {
  readonly name: string;
  readonly digest: string;
  readonly bytes: number;
  readonly href: string;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const FINISHED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled', 'expired']);

export const isFinished = (job: Pick<JobView, 'status'>): boolean => FINISHED.has(job.status);

export class LatheClient {
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor({ url, apiKey }: ClientOptions) {
    this.#url = new URL(url.endsWith('/') ? url : `${url}/`);
    this.#headers = apiKey ? { authorization: `Bearer ${apiKey}` } : {};
  }

  /**
   * Queue a job: files travel in the same call, or the spec names what was uploaded before.
   *
   * @param idempotencyKey the same key and payload again, within a day, is the same job
   *
   * @throws ApiError · ServerUnreachable, as every method here
   */
  async submit(
    spec: unknown,
    files: { readonly model?: NamedBlob; readonly dataset?: NamedBlob } = {},
    signal?: AbortSignal,
    idempotencyKey?: string,
  ): Promise<JobView> {
    const once: Record<string, string> =
      idempotencyKey === undefined ? {} : { 'idempotency-key': `"${idempotencyKey}"` };
    if (!files.model && !files.dataset) {
      const headers = { 'content-type': 'application/json', ...once };
      return this.#json('v1/jobs', { method: 'POST', headers, body: JSON.stringify(spec) }, signal);
    }
    const form = new FormData();
    form.append('spec', new Blob([JSON.stringify(spec)], { type: 'application/json' }));
    for (const part of ['model', 'dataset'] as const) {
      const file = files[part];
      if (file) form.append(part, file.data, file.name);
    }
    return this.#json('v1/jobs', { method: 'POST', headers: once, body: form }, signal);
  }

  /** What the server would make of a spec; nothing is queued. */
  plan(spec: unknown): Promise<{ readonly spec: Record<string, unknown> }> {
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify(spec);
    return this.#json('v1/jobs?dryRun=true', { method: 'POST', headers, body });
  }

  /** @param wait seconds to wait for the end of the job, at most 60 */
  job(id: string, wait = 0, signal?: AbortSignal): Promise<JobView> {
    return this.#json(withQuery(`v1/jobs/${id}`, { wait: wait || undefined }), {}, signal);
  }

  jobs(query: Query = {}): Promise<Page<JobView>> {
    return this.#json(withQuery('v1/jobs', query));
  }

  /** Follow a job to its end. @returns its last view */
  async wait(id: string, signal?: AbortSignal): Promise<JobView> {
    for (;;) {
      const job = await this.job(id, 30, signal);
      if (isFinished(job)) return job;
    }
  }

  /** Events of a job as they come, across broken connections, until the terminal one. */
  async *events(id: string, after = '', signal?: AbortSignal): AsyncGenerator<ServerEvent> {
    let last = after;
    for (let failures = 0; failures < 5; failures++) {
      try {
        const headers: Record<string, string> = { accept: 'text/event-stream' };
        if (last !== '') headers['last-event-id'] = last;
        const response = await this.#fetch(`v1/jobs/${id}/events`, { headers }, signal);
        for await (const event of serverEvents(response.body!)) {
          failures = 0;
          last = event.id ?? last;
          yield event;
        }
        return;
      } catch (error) {
        if (signal?.aborted || error instanceof ApiError) throw error;
        if (failures === 4) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** failures));
      }
    }
  }

  cancel(id: string): Promise<JobView> {
    return this.#json(`v1/jobs/${id}/cancel`, { method: 'POST' });
  }

  retry(id: string): Promise<JobView> {
    return this.#json(`v1/jobs/${id}/retry`, { method: 'POST' });
  }

  async remove(id: string): Promise<void> {
    await this.#fetch(`v1/jobs/${id}`, { method: 'DELETE' });
  }

  artifacts(id: string): Promise<Page<Artifact>> {
    return this.#json(`v1/jobs/${id}/artifacts`);
  }

  /** @param name as listed, such as `model.onnx` or `stages/01-quantize.onnx` */
  async artifact(id: string, name: string): Promise<ReadableStream<Uint8Array>> {
    const path = name.split('/').map(encodeURIComponent).join('/');
    return (await this.#fetch(`v1/jobs/${id}/artifacts/${path}`)).body!;
  }

  uploadModel(file: NamedBlob): Promise<ModelView> {
    return this.#upload('v1/models', file);
  }

  uploadDataset(file: NamedBlob): Promise<DatasetView> {
    return this.#upload('v1/datasets', file);
  }

  stages(): Promise<Record<string, unknown>> {
    return this.#json('v1/stages');
  }

  #upload<T>(path: string, { data, name }: NamedBlob): Promise<T> {
    const headers = { 'content-type': 'application/octet-stream' };
    return this.#json(withQuery(path, { name }), { method: 'POST', headers, body: data });
  }

  async #json<T>(path: string, init: RequestInit = {}, signal?: AbortSignal): Promise<T> {
    return (await this.#fetch(path, init, signal)).json() as Promise<T>;
  }

  async #fetch(path: string, init: RequestInit = {}, signal?: AbortSignal): Promise<Response> {
    const url = new URL(path, this.#url);
    const headers = { ...this.#headers, ...(init.headers as Record<string, string>) };
    const response = await fetch(url, { ...init, headers, signal: signal ?? null }).catch(
      (error: Error) => {
        if (signal?.aborted) throw error;
        const why = (error.cause as Error | undefined)?.message ?? error.message;
        throw new ServerUnreachable(`${this.#url.origin} does not answer: ${why}`, {
          cause: error,
        });
      },
    );
    if (!response.ok) throw new ApiError(await problemOf(response));
    return response;
  }
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  const text = new URLSearchParams(
    given.map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** What a proxy in between says in its own words becomes a problem too. */
async function problemOf(response: Response): Promise<Problem> {
  const { status, statusText: title, url } = response;
  const text = await response.text();
  if (response.headers.get('content-type')?.includes('problem+json'))
    return JSON.parse(text) as Problem;
  return {
    type: 'about:blank',
    title,
    status,
    detail: `HTTP ${status} ${title}`,
    instance: new URL(url).pathname,
    code: `HTTP_${status}`,
    retryable: status >= 500,
    errors: [],
  };
}

/** @file The tus protocol, spoken by @tus/server over our records, files and locks; its errors are ours. */

import type { Readable } from 'node:stream';
import { Readable as NodeReadable } from 'node:stream';

import { Server } from '@tus/server';

import { ServiceError } from '../contract/errors.ts';
import type { TransferRecord } from '../records/transfers.ts';
import { CHECKSUM_ALGORITHMS, parseChecksum } from './checksum.ts';
import type { RedisLocker } from './locker.ts';
import { UploadStore, type UploadStoreNeeds } from './upload-store.ts';

export interface TusRequest {
  readonly tenant: string;
  /** Path and query. */
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable | undefined;
  /** Id of a new upload. */
  readonly newId: string;
}

export interface TusNeeds extends UploadStoreNeeds {
  readonly locker: RedisLocker;
  /** Called when all bytes of an upload are here. */
  readonly onComplete: (tenant: string, id: string) => Promise<TransferRecord>;
}

export const TUS_PATH = '/v1/uploads';
export const TUS_VERSION = '1.0.0';

/** How long a request that shall end may take to keep what it has. */
const DRAIN_MS = 1000;

/** One request. @throws the error that the answer would have told of */
export async function answerTus(needs: TusNeeds, request: TusRequest): Promise<Response> {
  const { tenant, headers } = request;
  const failed: { error?: unknown } = {};
  const server = new Server({
    path: TUS_PATH,
    datastore: new UploadStore(needs, tenant, parseChecksum(headers['upload-checksum'] as string)),
    locker: needs.locker,
    lockDrainTimeout: DRAIN_MS,
    maxSize: Math.max(...Object.values(needs.most)),
    relativeLocation: true,
    allowedOrigins: () => false,
    disableTerminationForFinishedUploads: false,
    namingFunction: () => request.newId,
    onUploadFinish: async (_request, { id }) => {
      const { kind, result } = await needs.onComplete(tenant, id);
      return result === null ? {} : { headers: { 'Lathe-Result': `/v1/${kind}s/${result}` } };
    },
    onResponseError: (_request, error) => {
      failed.error = error;
      return undefined;
    },
  });
  const response = await server.handleWeb(webRequest(request));
  if (response.status < 400) return shown(response, request.method);
  throw await translated(failed.error, response, request);
}

function webRequest({ url, method, headers, body }: TusRequest): Request {
  const sent = new Headers();
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) sent.set(name, [value].flat().join(', '));
  const streams = body && (method === 'POST' || method === 'PATCH');
  return new Request(`http://localhost${url}`, {
    method,
    headers: sent,
    ...(streams && { body: NodeReadable.toWeb(body) as never, duplex: 'half' as const }),
  });
}

/** Pages of other sites have no business here, whatever @tus/server tells browsers. */
function shown(response: Response, method: string): Response {
  const headers = new Headers(response.headers);
  for (const name of [...headers.keys()])
    if (name.startsWith('access-control-')) headers.delete(name);
  if (method === 'OPTIONS') headers.set('tus-checksum-algorithm', CHECKSUM_ALGORITHMS.join(','));
  return new Response(null, { status: response.status, headers });
}

/** What @tus/server calls its errors, and what we call them. */
async function translated(error: unknown, response: Response, request: TusRequest) {
  if (error instanceof ServiceError) return error;
  const why = (await response.text()).trim().replace(/\.$/, '') || 'it could not be answered';
  const { status } = response;
  if (status === 412 || /tus-resumable/i.test(why)) {
    const found = String(request.headers['tus-resumable'] ?? 'missing');
    return new ServiceError('TUS_VERSION_UNSUPPORTED', { found, valid: TUS_VERSION });
  }
  if (status === 404) return new ServiceError('UPLOAD_NOT_FOUND', { id: idOf(request) });
  if (status === 413)
    return new ServiceError('UPLOAD_INVALID', { why: 'it sends more bytes than were announced' });
  if (status < 500 || status === 501) return new ServiceError('UPLOAD_INVALID', { why });
  return error instanceof Error ? error : new Error(why);
}

export const idOf = ({ url }: Pick<TusRequest, 'url'>): string =>
  decodeURIComponent(url.split('?')[0]!.split('/').at(-1) ?? '');

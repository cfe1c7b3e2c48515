/** @file What a client of a running service does, over HTTP and with a key. */

import { expect } from 'vitest';

import { modelFile } from '../api/site.ts';
import type { Api } from '../chaos/site.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of every route
type Body = any;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export type Call = (
  method: string,
  path: string,
  body?: object | Uint8Array,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** @param key '' for a server that asks for none */
export function caller({ url }: Pick<Api, 'url'>, key = ''): Call {
  return async (method, path, body, more) => {
    const bytes = body instanceof Uint8Array;
    const headers = {
      ...(key && { authorization: `Bearer ${key}` }),
      ...(body && { 'content-type': bytes ? 'application/octet-stream' : 'application/json' }),
      ...more,
    };
    const sent = bytes ? new Uint8Array(body) : body && JSON.stringify(body);
    const answer = await fetch(new URL(path, url), {
      method,
      headers,
      ...(sent && { body: sent }),
    });
    const text = await answer.text();
    const json = answer.headers.get('content-type')?.includes('json') === true;
    return { status: answer.status, headers: answer.headers, body: json ? JSON.parse(text) : text };
  };
}

export const SIMPLIFY = { stages: [{ stage: 'simplify' }] } as const;

/** @returns the id of a model like no other */
export async function uploaded(call: Call, number = 0): Promise<string> {
  return (await call('POST', '/v1/models', modelFile(number))).body.id;
}

/** @returns the job once it has ended */
export async function ended(call: Call, id: string): Promise<Body> {
  for (let tries = 0; tries < 3; tries++) {
    const { body } = await call('GET', `/v1/jobs/${id}?wait=60`);
    if (body.finishedAt !== null) return body;
  }
  return expect.unreachable(`${id} has not ended within three minutes`);
}

/** @file Files by https: from public addresses only, looked at when the import is asked for and again at the connection. */

import { type Agent, request } from 'undici';

import {
  AddressRefused,
  checkTarget,
  checkUrl,
  guardedLookup,
  type Lookup,
} from '../egress/addresses.ts';
import { guardedAgent } from '../egress/agent.ts';
import { type Fetched, type ImportSource, noFile, refused, unreachable } from './source.ts';

const CONNECT_MS = 15_000;
/** Longest time without a byte. */
const SILENCE_MS = 60_000;

export class HttpsSource implements ImportSource {
  readonly #allowPrivate: boolean;
  readonly #agent: Agent;

  /** @param lookup how names are resolved at each connection */
  constructor(allowPrivate: boolean, lookup: Lookup = guardedLookup(allowPrivate)) {
    this.#allowPrivate = allowPrivate;
    this.#agent = guardedAgent(lookup, CONNECT_MS, SILENCE_MS);
  }

  async check(url: string): Promise<void> {
    this.#checkUrl(url);
    await checkTarget(url, this.#allowPrivate, 'IMPORT_SOURCE_REFUSED');
  }

  async open(url: string, signal: AbortSignal): Promise<Fetched> {
    const target = this.#checkUrl(url); // literals of addresses never reach the lookup
    const headers = { 'accept-encoding': 'identity', 'user-agent': 'lathe-import' };
    const answer = await request(target, { dispatcher: this.#agent, signal, headers }).catch(
      (error) => {
        throw signal.aborted ? error : this.#explained(url, error);
      },
    );
    const why = whyNoFile(answer.statusCode, answer.headers);
    if (why !== undefined) {
      answer.body.on('error', () => {}).destroy();
      throw answer.statusCode >= 500 || answer.statusCode === 429
        ? unreachable(url, why)
        : noFile(url, why);
    }
    const length = answer.headers['content-length'];
    return {
      body: this.#bytesOf(url, answer.body, signal),
      total: length === undefined ? null : Number(length),
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  /** A file by plain http may be changed on its way; at home it may come so. */
  #checkUrl(text: string): URL {
    const url = checkUrl(text, this.#allowPrivate, 'IMPORT_SOURCE_REFUSED');
    if (url.protocol === 'https:' || this.#allowPrivate) return url;
    throw refused(text, 'its scheme is http; valid are https and s3');
  }

  #explained(url: string, error: unknown) {
    if (error instanceof AddressRefused) return refused(url, error.message);
    return unreachable(url, (error as Error).message, error);
  }

  async *#bytesOf(url: string, body: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    try {
      yield* body;
    } catch (error) {
      throw signal.aborted ? error : this.#explained(url, error);
    }
  }
}

function whyNoFile(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): string | undefined {
  if (status >= 300 && status < 400)
    return `it answers ${status}: redirects are not followed, give the address that the file has in the end`;
  if (status !== 200) return `it answers ${status}`;
  const encoding = headers['content-encoding'] ?? 'identity';
  return encoding === 'identity' ? undefined : `it comes in the encoding ${encoding}`;
}

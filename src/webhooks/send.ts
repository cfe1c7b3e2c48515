/** @file One try of one delivery: signed, sent, judged. */

import { Webhook } from 'standardwebhooks';
import { Agent, request } from 'undici';

import { checkUrl, guardedLookup } from './addresses.ts';

export interface Outgoing {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly body: string;
}

export type SendResult =
  | { readonly ok: true; readonly status: number }
  /** `gone`: the receiver wants no more of these. */
  | { readonly ok: false; readonly gone: boolean; readonly why: string };

const TIMEOUT_MS = 15_000;
/** An answer is read no further than this. */
const ANSWER_BYTES = 64 * 1024;

export class Sender {
  readonly #agent: Agent;
  readonly #allowPrivate: boolean;

  constructor(allowPrivate: boolean) {
    this.#allowPrivate = allowPrivate;
    this.#agent = new Agent({
      connect: { lookup: guardedLookup(allowPrivate) as never, timeout: TIMEOUT_MS },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      keepAliveTimeout: 1000,
    });
  }

  /** 2xx is success; everything else, redirects too, is failure. Never throws. */
  async send({ id, url, secret, body }: Outgoing): Promise<SendResult> {
    try {
      const target = checkUrl(url, this.#allowPrivate);
      const at = new Date();
      const answer = await request(target, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: AbortSignal.timeout(2 * TIMEOUT_MS),
        headers: {
          'content-type': 'application/json',
          'user-agent': 'lathe-webhooks',
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': new Webhook(secret).sign(id, at, body),
        },
        body,
      });
      await answer.body.dump({ limit: ANSWER_BYTES }).catch(() => undefined);
      return judged(answer.statusCode);
    } catch (error) {
      return { ok: false, gone: false, why: (error as Error).message };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function judged(status: number): SendResult {
  if (status >= 200 && status < 300) return { ok: true, status };
  const redirect = status >= 300 && status < 400;
  const why = `it answered ${status}${redirect ? ': redirects are not followed' : ''}`;
  return { ok: false, gone: status === 410, why };
}

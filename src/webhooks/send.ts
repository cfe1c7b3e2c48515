/** @file One try of one delivery: signed, sent, judged. */

import { Webhook } from 'standardwebhooks';
import { type Agent, request } from 'undici';

import { checkUrl, guardedLookup, type Lookup } from '../egress/addresses.ts';
import { guardedAgent } from '../egress/agent.ts';

export interface Outgoing {
  readonly id: string;
  readonly url: string;
  /** All of them sign: during a rotation there are two. */
  readonly secrets: readonly string[];
  readonly body: string;
  /** W3C trace context. */
  readonly trace?: string | null | undefined;
}

export interface SendResult {
  readonly ok: boolean;
  /** HTTP status; null: there was no answer. */
  readonly status: number | null;
  /** Why it counts as a failure; null: it succeeded. */
  readonly why: string | null;
}

/** The receiver wants no more of these. */
export const GONE = 410;

const TIMEOUT_MS = 15_000;
/** An answer is read no further than this. */
const ANSWER_BYTES = 64 * 1024;

export class Sender {
  readonly #agent: Agent;
  readonly #allowPrivate: boolean;

  /** @param lookup how names are resolved at each connection */
  constructor(allowPrivate: boolean, lookup: Lookup = guardedLookup(allowPrivate)) {
    this.#allowPrivate = allowPrivate;
    this.#agent = guardedAgent(lookup, TIMEOUT_MS, TIMEOUT_MS);
  }

  /** 2xx is success; everything else, redirects too, is failure. Never throws. */
  async send({ id, url, secrets, body, trace }: Outgoing): Promise<SendResult> {
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
          ...(trace && { traceparent: trace }),
          'webhook-id': id,
          'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
          'webhook-signature': secrets
            .map((secret) => new Webhook(secret).sign(id, at, body))
            .join(' '),
        },
        body,
      });
      await answer.body.dump({ limit: ANSWER_BYTES }).catch(() => undefined);
      return judged(answer.statusCode);
    } catch (error) {
      return { ok: false, status: null, why: (error as Error).message };
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

function judged(status: number): SendResult {
  if (status >= 200 && status < 300) return { ok: true, status, why: null };
  const redirect = status >= 300 && status < 400;
  const why = `it answered ${status}${redirect ? ': redirects are not followed' : ''}`;
  return { ok: false, status, why };
}

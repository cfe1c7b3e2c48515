/** @file Who waits for an answer may leave. */

import type { FastifyReply } from 'fastify';

/** Aborted when the connection closes before the answer is written. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client has gone'));
  });
  return gone.signal;
}

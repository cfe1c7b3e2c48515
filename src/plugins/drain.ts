/** @file Read and forget what a client still sends, so that it gets to read the answer. */

import type { IncomingMessage } from 'node:http';

const MOST_BYTES = 64 * 2 ** 20;
const MOST_MILLISECONDS = 5000;

/**
 * A client that is still sending sees a broken connection instead of the answer when we close under it. Up to
 * 64 MiB and five seconds are read to the end; beyond that the connection is closed.
 */
export async function drain(request: IncomingMessage): Promise<void> {
  if (request.readableEnded || request.destroyed) return;
  if (Number(request.headers['content-length'] ?? 0) > MOST_BYTES) return;
  await new Promise<void>((resolve) => {
    let bytes = 0;
    const clock = setTimeout(resolve, MOST_MILLISECONDS);
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) resolve();
    });
    for (const event of ['end', 'close', 'error'] as const) request.once(event, () => resolve());
    request.once('close', () => clearTimeout(clock));
    request.resume();
  });
}

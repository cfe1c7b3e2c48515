/** @file What is not even HTTP gets a problem document too. */

import type { Socket } from 'node:net';

import { ServiceError } from '../contract/errors.ts';
import { problemOf } from '../contract/problem.ts';

const REASONS: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: 'its headers are too long',
  ERR_HTTP_REQUEST_TIMEOUT: 'its headers took too long',
};

export function malformedHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const why = REASONS[error.code ?? ''] ?? 'it does not parse';
  const body = JSON.stringify(problemOf(new ServiceError('HTTP_MALFORMED', { why }), ''));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

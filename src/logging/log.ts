/** @file Logs: one JSON line each, without secrets. */

import { type DestinationStream, type Logger, pino } from 'pino';

const HIDDEN = '[redacted]';

/** What a secret looks like, wherever it stands: in a message, a stack, an address. What is kept of it is `$1`. */
const SECRETS: readonly (readonly [pattern: RegExp, kept: string])[] = [
  [/\b(lathe_[0-9a-f]{6})[0-9a-f]{26}_[\w-]{43}/g, `$1${HIDDEN}`],
  [/\bwhsec_[A-Za-z0-9+/=]{8,}/g, HIDDEN],
  [/\b(Bearer|Basic) +[\w+/=.~-]{4,}/gi, `$1 ${HIDDEN}`],
  [/(:\/\/)[^\s/@"\\]*:[^\s/@"\\]*@/g, `$1${HIDDEN}@`],
  [
    /([?&](?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|token|key)=)[^\s&"\\]+/gi,
    `$1${HIDDEN}`,
  ],
];

/** Fields that hold secrets whatever they look like. */
const FIELDS = [
  'authorization',
  'x-api-key',
  'cookie',
  'secret',
  'password',
  'apiKey',
  'secretKey',
];

const paths = ['', '*.', '*.*.', '*.*.*.'].flatMap((depth) =>
  FIELDS.map((field) =>
    /^\w+$/.test(field) ? `${depth}${field}` : `${depth.slice(0, -1)}["${field}"]`,
  ),
);

/** The text without what looks like a secret. */
export const redacted = (text: string): string =>
  SECRETS.reduce((rest, [pattern, kept]) => rest.replace(pattern, kept), text);

/** @param role who writes: api, webhooks or worker @param to default: the standard output */
export function openLog(role: string, level: string, to?: DestinationStream): Logger {
  const options = {
    level,
    base: { role },
    redact: { paths, censor: HIDDEN },
    hooks: { streamWrite: redacted },
  };
  return to ? pino(options, to) : pino(options);
}

/** @file A server without keys serves this machine only, and no web page that happens to be open on it. */

import type { FastifyInstance } from 'fastify';

import { ServiceError } from '../contract/errors.ts';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

const refuse = (why: string): never => {
  throw new ServiceError('FORBIDDEN', { why });
};

/**
 * A web page anywhere can make a browser post forms to localhost, and a name that points to 127.0.0.1 makes it
 * read the answers: so foreign hosts and requests from other sites are refused.
 *
 * @param anyHost the server is meant to be reached under other names (LATHE_INSECURE=1)
 */
export function installSameMachineOnly(app: FastifyInstance, anyHost: boolean): void {
  app.addHook('onRequest', async ({ headers }) => {
    const { host = '', origin } = headers;
    if (!anyHost && !LOOPBACK.test(host))
      refuse(`without LATHE_API_KEYS this server is for this machine only, not for '${host}'`);
    if (origin !== undefined && !sameSite(origin, host))
      refuse(`it comes from a page of another site (${origin})`);
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none')
      refuse(`it comes from a page of another site (Sec-Fetch-Site: ${site})`);
  });
}

const sameSite = (origin: string, host: string): boolean =>
  URL.parse(origin)?.host.toLowerCase() === host.toLowerCase();

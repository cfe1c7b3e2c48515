/** @file Headers that keep browsers from doing more than they should with what we send. */

import helmet from '@fastify/helmet';
import type { FastifyInstance } from 'fastify';

/** Scripts only from here and never inline: names of nodes and labels are text of strangers. */
export async function installSecurityHeaders(app: FastifyInstance): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'", "'unsafe-inline'"],
        imgSrc: ["'self'", 'data:'],
        fontSrc: ["'self'", 'data:'],
        connectSrc: ["'self'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: false, // whoever ends TLS in front of us says that
  });
}

/** @file An S3 server that can be asked to answer 500, or slowly: a proxy before a real one. */

import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { startFauxqs } from 'fauxqs';

export interface TroubledS3 {
  trouble: 'none' | 'error' | 'slow';
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

const SLOW_MS = 1500;

export async function troubledS3(): Promise<TroubledS3> {
  const inner = await startFauxqs({ port: 0, logger: false, init: { buckets: ['lathe'] } });
  const proxy = createServer(async (incoming, outgoing) => {
    if (s3.trouble === 'error') {
      incoming.resume();
      return void outgoing.writeHead(500, { connection: 'close' }).end('<Error/>');
    }
    if (s3.trouble === 'slow') await sleep(SLOW_MS);
    const { url: path, method, headers } = incoming;
    const options = { port: inner.port, host: '127.0.0.1', path, method, headers };
    const onward = request(options, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as AddressInfo;
  const s3: TroubledS3 = {
    trouble: 'none',
    env: {
      LATHE_STORAGE: 's3',
      LATHE_S3_BUCKET: 'lathe',
      LATHE_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
    async close() {
      proxy.closeAllConnections();
      proxy.close();
      await inner.stop();
    },
  };
  return s3;
}

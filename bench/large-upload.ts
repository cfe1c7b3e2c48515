/**
 * @file What does a large upload cost in memory? A data set of 2 GB, as one body and by tus.
 *
 *     npm run bench -- large-upload [--gigabytes 2]
 *
 * The archive is made while it is sent and holds one large image under many names, so that it is inspected and kept as any other. The
 * API's resident memory is looked at ten times a second. The last line is JSON; the exit code is 1 where a bound is missed.
 */

import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';

import sharp from 'sharp';
import { pack } from 'tar-stream';
import { request } from 'undici';

import { Installation, tell } from './service/installation.ts';

const { values } = parseArgs({ options: { gigabytes: { type: 'string', default: '2' } } });
const wanted = Number(values.gigabytes) * 1e9;
const SIDE = 1600;
/** A tar pads files to blocks, puts one before each, and two at its end. */
const BLOCK = 512;

const image = await noise();
const names = Array.from(
  { length: Math.ceil(wanted / image.length) },
  (_, i) => `train/${i % 2 ? 'a' : 'b'}/${i}.png`,
);
const length = names.length * (BLOCK + Math.ceil(image.length / BLOCK) * BLOCK) + 2 * BLOCK;

const site = await Installation.open({ LATHE_MAX_DATASET_BYTES: '20g' });
try {
  await site.tinyModel(); // code is compiled once
  const direct = await watched(() => post());
  const tus = await watched(() => resumable());
  tell(
    [
      {
        what: 'one body: growth of resident memory',
        measured: direct.growth,
        most: 100,
        unit: 'MB',
      },
      { what: 'tus: growth of resident memory', measured: tus.growth, most: 100, unit: 'MB' },
      {
        what: 'uploads that failed',
        measured: [direct, tus].filter((u) => !u.ok).length,
        most: 0,
        unit: '',
      },
    ],
    { bytes: length, direct, tus },
  );
} finally {
  await site.close();
}

/** A PNG that does not compress. */
function noise(): Promise<Buffer> {
  const pixels = Buffer.alloc(3 * SIDE * SIDE);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (state * 48_271) % 2_147_483_647;
    pixels[i] = state & 255;
  }
  const raw = { width: SIDE, height: SIDE, channels: 3 as const };
  return sharp(pixels, { raw }).png({ compressionLevel: 0 }).toBuffer();
}

function archive(): Readable {
  const tar = pack();
  const add = async () => {
    for (const name of names)
      await new Promise<void>((resolve, reject) => {
        tar.entry({ name, size: image.length }, image, (error) =>
          error ? reject(error) : resolve(),
        );
      });
    tar.finalize();
  };
  add().catch((error) => tar.destroy(error));
  return Readable.from(tar, { objectMode: false });
}

async function post(): Promise<string> {
  const { statusCode, body } = await request(`${site.url}/v1/datasets`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-tar', 'content-length': String(length) },
    body: archive(),
    headersTimeout: 0,
  });
  return `${statusCode} ${(await body.text()).slice(0, 200)}`;
}

/** The same content again: hashed, inspected, and found to be there. */
async function resumable(): Promise<string> {
  const tus = { 'tus-resumable': '1.0.0' };
  const begun = await request(`${site.url}/v1/uploads`, {
    method: 'POST',
    headers: {
      ...tus,
      'upload-length': String(length),
      'upload-metadata': `kind ${Buffer.from('dataset').toString('base64')}`,
    },
  });
  await begun.body.dump();
  const { statusCode, body } = await request(`${site.url}${begun.headers['location']}`, {
    method: 'PATCH',
    headers: {
      ...{ ...tus, 'upload-offset': '0', 'content-length': String(length) },
      'content-type': 'application/offset+octet-stream',
    },
    body: archive(),
    headersTimeout: 0,
  });
  return `${statusCode} ${await body.text()}`;
}

/** In MB of 10⁶ bytes. */
async function watched(work: () => Promise<string>) {
  const before = site.apiMemory();
  let peak = before;
  const clock = setInterval(() => {
    peak = Math.max(peak, site.apiMemory());
  }, 100);
  const begun = performance.now();
  const said = await work();
  clearInterval(clock);
  const seconds = (performance.now() - begun) / 1000;
  return { growth: ((peak - before) * 2 ** 20) / 1e6, seconds, ok: said.startsWith('2'), said };
}

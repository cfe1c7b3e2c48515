/** @file Image files to pixels: JPEG, PNG and WebP, as OpenCV's imread sees them. */

import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

import { ServiceError } from '../../src/contract/errors.ts';

/** Rows of R, G, B bytes, upright. */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** More pixels than this are refused: the decoded image alone would take 300 MB. */
export const MOST_PIXELS = 100_000_000;
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp']);

// Images are read once each: a cache would only hold memory.
sharp.cache(false);

/**
 * Decode by content, whatever the file is called: 8 bits per channel, RGB, EXIF orientation applied, alpha dropped
 * (not blended), gray repeated, CMYK converted, 16 bit cut to its high byte, colour profiles of RGB files ignored,
 * as OpenCV does and so training did.
 *
 * @param name what to call the file in a message
 * @throws IMAGE_UNREADABLE missing, empty, no image, another format, damaged, or over MOST_PIXELS
 */
export async function decodeImage(file: string, name: string = file): Promise<Image> {
  const bytes = await contentOf(file, name);
  const header = await headerOf(bytes, name);
  const decode = async (): Promise<Image> => {
    const image = open(bytes).removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' });
    const { data, info } = await image.toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: rgbOf(data, info.channels) };
  };
  const large = header.width * header.height > LARGE;
  try {
    return await (large ? oneAtATime(decode) : decode());
  } catch (cause) {
    throw unreadable(name, `its data is damaged (${firstLine(cause)})`);
  }
}

/**
 * Size of an upright image, from its header alone.
 *
 * @throws IMAGE_UNREADABLE
 */
export async function imageSize(
  file: string,
  name: string = file,
): Promise<{ readonly width: number; readonly height: number }> {
  return headerOf(await contentOf(file, name), name);
}

const open = (bytes: Uint8Array) =>
  sharp(bytes, {
    failOn: 'error',
    limitInputPixels: MOST_PIXELS,
    autoOrient: true,
    ignoreIcc: true,
  });

async function contentOf(file: string, name: string): Promise<Uint8Array> {
  const bytes = await readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw unreadable(name, cause.code === 'ENOENT' ? 'it does not exist' : firstLine(cause));
  });
  if (bytes.length === 0) throw unreadable(name, 'it is empty (0 bytes)');
  return bytes;
}

async function headerOf(bytes: Uint8Array, name: string) {
  // The limit is checked below, where its message can name the size.
  const found = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw unreadable(name, `it is no JPEG, PNG or WebP image (${firstLine(cause)})`);
    });
  if (!FORMATS.has(found.format))
    throw unreadable(name, `it is ${found.format}; JPEG, PNG and WebP are read`);
  const { width, height } = found.autoOrient;
  if (width * height > MOST_PIXELS)
    throw unreadable(name, `it has ${width} × ${height} pixels; at most ${MOST_PIXELS} are read`);
  return { width, height };
}

/** RGB from whatever number of channels is left: gray images decode to one. */
function rgbOf(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data;
  const pixels = data.length / channels;
  const rgb = new Uint8Array(pixels * 3);
  for (let i = 0; i < pixels; i++) rgb.fill(data[i * channels]!, i * 3, i * 3 + 3);
  return rgb;
}

const unreadable = (file: string, why: string) =>
  new ServiceError('IMAGE_UNREADABLE', { file, why });

const firstLine = (cause: unknown): string =>
  String((cause as Error).message)
    .split('\n')[0]!
    .trim();

/** Above this many pixels images are decoded one after the other, so that several do not add up. */
const LARGE = 16_000_000;
let queue: Promise<unknown> = Promise.resolve();

function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const result = queue.then(work);
  queue = result.catch(() => {});
  return result;
}

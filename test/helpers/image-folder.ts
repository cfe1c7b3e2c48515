/** @file Small data sets on disk, made in the test that needs them. */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { onTestFinished } from 'vitest';

/** A folder of its own for this test, gone when the test ends. */
export async function testFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'lathe-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A picture of one colour. */
export const plainImage = (
  format: 'jpeg' | 'png' | 'webp' = 'jpeg',
  [width, height]: readonly [number, number] = [32, 24],
  background: { r: number; g: number; b: number } = { r: 200, g: 100, b: 50 },
): Promise<Buffer> =>
  sharp({ create: { width, height, channels: 3, background } })
    .toFormat(format)
    .toBuffer();

/**
 * Write files below `root`. The content `image` stands for a small JPEG whose shade depends on its name, so that no
 * two files have the same bytes.
 */
export async function writeTree(
  root: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(root, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content === 'image' ? await shaded(name) : content);
  }
}

function shaded(name: string): Promise<Buffer> {
  const sum = [...name].reduce((a, c) => (a * 31 + c.charCodeAt(0)) % 9973, 7);
  return plainImage('jpeg', [32, 24], { r: sum % 256, g: (sum >> 3) % 256, b: (sum >> 5) % 256 });
}

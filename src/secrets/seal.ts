/** @file Secrets as they may lie in Redis: sealed with a key that is not there. */

import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

export class Seal {
  readonly #key: Buffer;

  /** @param secret any text: the key is its SHA-256 */
  constructor(secret: string) {
    this.#key = createHash('sha256').update(secret).digest();
  }

  /** Base64 of iv · tag · ciphertext. */
  seal(text: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws Error it was sealed with another key, or damaged */
  open(sealed: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(ALGORITHM, this.#key, bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  }
}

/** The secret of `LATHE_SECRET_KEY`, else one in the data folder, made by whoever comes first. */
export async function sealFor(secretKey: string, dataDir: string): Promise<Seal> {
  if (secretKey !== '') return new Seal(secretKey);
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, 'secret.key');
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, randomBytes(32).toString('base64'), { mode: 0o600, flush: true });
  await link(own, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(own);
  return new Seal(await readFile(file, 'utf8'));
}

/** @file Secrets as they may lie in Redis: sealed with a key that is not there. */

import { createCipheriv, createDecipheriv, createHash, randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { ServiceError } from '../contract/errors.ts';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

export class Seal {
  readonly #key: Buffer;
  readonly #previous: readonly Buffer[];

  /**
   * @param secret any text: the key is its SHA-256
   * @param previous former secrets: what they sealed is still opened, and sealed anew with the current one
   */
  constructor(secret: string, previous: readonly string[] = []) {
    this.#key = keyOf(secret);
    this.#previous = previous.map(keyOf);
  }

  /** Whether there may be anything that a former key has sealed. */
  get rotating(): boolean {
    return this.#previous.length > 0;
  }

  /** Base64 of iv · tag · ciphertext. */
  seal(text: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#key, iv);
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws SECRET_UNREADABLE it was sealed with another key, or damaged */
  open(sealed: string): string {
    for (const key of [this.#key, ...this.#previous]) {
      const text = opened(key, sealed);
      if (text !== undefined) return text;
    }
    throw new ServiceError('SECRET_UNREADABLE', {});
  }

  /** The same secret under the current key; undefined: it is that already. @throws SECRET_UNREADABLE */
  renewed(sealed: string): string | undefined {
    if (opened(this.#key, sealed) !== undefined) return undefined;
    return this.seal(this.open(sealed));
  }
}

const keyOf = (secret: string) => createHash('sha256').update(secret).digest();

function opened(key: Buffer, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, IV_BYTES));
    decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

export interface SealSettings {
  /** LATHE_SECRET_KEY; empty: a key in the data folder. */
  readonly secretKey: string;
  readonly previousSecretKeys: readonly string[];
  readonly dataDir: string;
}

/**
 * The secret of `LATHE_SECRET_KEY`, else one in the data folder, made by whoever comes first. Where there is a setting
 * now and there was none before, the one in the folder is a former key.
 */
export async function sealFor(settings: SealSettings): Promise<Seal> {
  const { secretKey, previousSecretKeys: previous, dataDir } = settings;
  const file = join(dataDir, 'secret.key');
  if (secretKey !== '') {
    const before = await readFile(file, 'utf8').catch(() => undefined);
    return new Seal(secretKey, before === undefined ? previous : [...previous, before]);
  }
  await mkdir(dataDir, { recursive: true });
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, randomBytes(32).toString('base64'), { mode: 0o600, flush: true });
  await link(own, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(own);
  return new Seal(await readFile(file, 'utf8'), previous);
}

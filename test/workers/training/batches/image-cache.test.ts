import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { ImageCache } from '../../../../workers/training/batches/image-cache.ts';

/** Images of 300 bytes, and a record of what was loaded. */
function cacheOf(most: number) {
  const loaded: number[] = [];
  const cache = new ImageCache(most, async (index) => {
    loaded.push(index);
    await sleep(1);
    return { width: 10, height: 10, data: new Uint8Array(300).fill(index) };
  });
  const get = async (...indices: number[]) => {
    for (const index of indices) expect((await cache.get(index)).data[0]).toBe(index);
  };
  return { cache, loaded, get };
}

test('what fits is loaded once', async () => {
  const { get, loaded } = cacheOf(900);
  await get(1, 2, 3, 1, 2, 3, 1);
  expect(loaded).toEqual([1, 2, 3]);
});

test('the image not asked for longest makes room', async () => {
  const { get, loaded } = cacheOf(900);
  await get(1, 2, 3, 1, 4, 1, 3, 2);
  expect(loaded).toEqual([1, 2, 3, 4, 2]);
});

test('an image larger than the bound is loaded each time, and others still kept', async () => {
  const { get, loaded } = cacheOf(200);
  await get(1, 1);
  expect(loaded).toEqual([1, 1]);
});

test('two requests at once share one load', async () => {
  const { cache, loaded } = cacheOf(900);
  const [a, b] = await Promise.all([cache.get(5), cache.get(5)]);
  expect(a).toBe(b);
  expect(loaded).toEqual([5]);
});

test('a load that fails is tried again', async () => {
  let tries = 0;
  const cache = new ImageCache(900, async () => {
    if (tries++ === 0) throw new Error('first');
    return { width: 1, height: 1, data: new Uint8Array(3) };
  });
  await expect(cache.get(0)).rejects.toThrow('first');
  expect((await cache.get(0)).width).toBe(1);
});

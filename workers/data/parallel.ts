/** @file Bounded parallel work on many files. */

/** `items.map(f)` with at most `width` calls under way; results in the order of `items`. */
export async function mapParallel<T, R>(
  items: readonly T[],
  width: number,
  f: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await f(items[i]!, i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

/**
 * The results of `f` in the order of `items`, with up to `width` calls started ahead of the reader: reading
 * and decoding overlap with what the reader does. At most `width` results exist at a time.
 */
export async function* ahead<T, R>(
  items: readonly T[],
  width: number,
  f: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const started: Promise<R>[] = [];
  let next = 0;
  const start = () => {
    const promise = f(items[next++]!);
    promise.catch(() => {}); // the reader sees the failure when its turn comes
    started.push(promise);
  };
  while (next < Math.min(width, items.length)) start();
  while (started.length > 0) {
    const result = await started.shift()!;
    if (next < items.length) start();
    yield result;
  }
}

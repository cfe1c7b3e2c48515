/** @file How deep a JSON value is nested: what walks it later does so by recursion. */

/** Deeper than any document that we ask for. */
export const MOST_DEPTH = 64;

/** Without recursion: the value may be anything. */
export function isTooDeep(value: unknown): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_DEPTH) return true;
    level = level.flatMap((item) =>
      typeof item === 'object' && item !== null ? Object.values(item) : [],
    );
  }
  return false;
}

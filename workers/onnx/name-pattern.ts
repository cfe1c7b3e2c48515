/** @file Names as options give them: `*` stands for any characters. */

/** Whether a name is the one that `pattern` says, or one of those. */
export function namePattern(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*').map((s) => s.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const test = new RegExp(`^${parts.join('.*')}$`);
  return (name) => test.test(name);
}

/** @file Names that files came with. */

/** The last part of a path, without control characters: it is shown, never opened. Null: nothing is left of it. */
export function cleanName(name: string | null | undefined): string | null {
  const last = name?.split(/[/\\]/).at(-1) ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return last.replaceAll(/[\u0000-\u001f\u007f]/g, '').slice(0, 200) || null;
}

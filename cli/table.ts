/** @file Plain tables for a terminal. */

/** Columns padded to their widest cell; numbers (anything that starts with a digit, ±, – or ×) to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (w, row) => row.map((cell, i) => Math.max(w[i] ?? 0, [...cell].length)),
    [],
  );
  const pad = (cell: string, i: number) => {
    const space = ' '.repeat(widths[i]! - [...cell].length);
    return i > 0 && /^[\d+−±–×]/.test(cell) ? space + cell : cell + space;
  };
  return rows.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

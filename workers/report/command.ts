/** @file The command that repeats a job of a server. */

/** Text as one word of a POSIX shell. */
export const shellWord = (text: string): string =>
  /^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/**
 * For any shell with curl: the same model and data set by their ids, the same options with every default written out.
 *
 * @param spec as the server ran it
 */
export function repeatCommand(spec: object): string {
  const key = `\${LATHE_API_KEY:+-H "authorization: Bearer $LATHE_API_KEY"}`;
  return `curl -sS "$LATHE_URL/v1/jobs" ${key} -H 'content-type: application/json' -d ${shellWord(JSON.stringify(spec))}`;
}

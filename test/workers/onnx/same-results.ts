/** @file Whether two encodings of one model compute the same, bit by bit. */

import { isDeepStrictEqual } from 'node:util';

import type { Feed, HostTensor, Session } from '../../../workers/runtime/session.ts';
import { openSession } from '../../../workers/runtime/session.ts';

type Outputs = Readonly<Record<string, HostTensor>>;

/** The runtime's answer, or the words with which it refuses. */
export type Answer = { readonly outputs: Outputs } | { readonly refused: string };

/** Run with all of the runtime's optimisations off: what is compared is the graph in the file. */
export async function answerOf(model: Uint8Array, feeds: Record<string, Feed>): Promise<Answer> {
  let session: Session | undefined;
  try {
    session = await openSession(model, { optimize: 'disabled' });
    return { outputs: await session.run(feeds) };
  } catch (error) {
    return { refused: (error as Error).message };
  } finally {
    await session?.release();
  }
}

/** Equal to the last bit, NaN included; or refused both times. */
export function sameAnswer(a: Answer, b: Answer): boolean {
  if ('refused' in a || 'refused' in b) return 'refused' in a && 'refused' in b;
  return isDeepStrictEqual(raw(a.outputs), raw(b.outputs));
}

/** Largest difference between two answers, each output relative to its largest value; infinite where they cannot be compared. */
export function relativeError(a: Answer, b: Answer): number {
  if ('refused' in a || 'refused' in b) return sameAnswer(a, b) ? 0 : Number.POSITIVE_INFINITY;
  if (sameAnswer(a, b)) return 0;
  const errors = Object.entries(a.outputs).map(([name, { data }]) => {
    const other = b.outputs[name]?.data;
    if (other?.length !== data.length) return Number.POSITIVE_INFINITY;
    let [worst, scale] = [0, 0];
    for (let i = 0; i < data.length; i++) {
      worst = Math.max(worst, Math.abs(Number(data[i]) - Number(other[i])));
      scale = Math.max(scale, Math.abs(Number(data[i])));
    }
    return worst / (scale || 1);
  });
  return Math.max(...errors);
}

const raw = (outputs: Outputs) =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, { dtype, dims, data }]) => [
      name,
      {
        dtype,
        dims,
        data: ArrayBuffer.isView(data)
          ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
          : data,
      },
    ]),
  );

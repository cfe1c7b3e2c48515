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

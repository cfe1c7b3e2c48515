/** @file Part of a constant. */

import { ServiceError } from '../../../src/contract/errors.ts';
import { byteLength } from '../../onnx/dtype.ts';
import { bytesOf, Tensor } from '../../onnx/tensor.ts';

/** Runs of fewer elements are copied one by one: a call each would cost more. */
const SHORT = 16;

/**
 * The places `kept[i]` along each axis i, in order; elements keep their bytes.
 *
 * @param kept one list per axis of `tensor`
 * @throws MODEL_INVALID the elements are strings or smaller than a byte
 */
export function select(tensor: Tensor, kept: readonly (readonly number[])[]): Tensor {
  const { dims, dtype } = tensor;
  if (kept.every((places, i) => places.length === dims[i])) return tensor;
  let elements = elementsOf(tensor);
  const now = [...dims];
  for (const [axis, places] of kept.entries()) {
    if (places.length === now[axis]) continue;
    elements = along(elements, now, axis, places);
    now[axis] = places.length;
  }
  return new Tensor(dtype, now, bytesOf(elements));
}

type Elements = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** Elements as unsigned numbers of their size: nobody looks at what they mean. */
function elementsOf({ dtype, bytes }: Tensor): Elements {
  const size = byteLength(dtype, 8) / 8;
  const Type = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size];
  if (!Type)
    throw new ServiceError('MODEL_INVALID', {
      where: 'a constant',
      why: `channels cannot be cut out of elements of type ${dtype}`,
    });
  const aligned = bytes.byteOffset % size === 0 ? bytes : Uint8Array.from(bytes);
  return new Type(aligned.buffer as ArrayBuffer, aligned.byteOffset, bytes.length / size);
}

function along(
  from: Elements,
  dims: readonly number[],
  axis: number,
  places: readonly number[],
): Elements {
  const inner = dims.slice(axis + 1).reduce((n, d) => n * d, 1);
  const outer = dims.slice(0, axis).reduce((n, d) => n * d, 1);
  const size = dims[axis]!;
  const to = new (from.constructor as Uint8ArrayConstructor)(outer * places.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const place of places) {
      const start = (o * size + place) * inner;
      if (inner < SHORT) for (let i = 0; i < inner; i++) to[at + i] = from[start + i] as number;
      else to.set((from as Uint8Array).subarray(start, start + inner), at);
      at += inner;
    }
  return to;
}

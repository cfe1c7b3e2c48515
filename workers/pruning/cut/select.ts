/** @file Part of a constant. */

import { byteLength } from '../../onnx/dtype.ts';
import { Tensor } from '../../onnx/tensor.ts';

/**
 * The places `kept[i]` along each axis i, in order; elements keep their bytes.
 *
 * @param kept one list per axis of `tensor`
 */
export function select(tensor: Tensor, kept: readonly (readonly number[])[]): Tensor {
  const { dims, dtype } = tensor;
  if (kept.every((places, i) => places.length === dims[i])) return tensor;
  let bytes = tensor.bytes;
  const now = [...dims];
  for (const [axis, places] of kept.entries()) {
    if (places.length === now[axis]) continue;
    const inner = byteLength(
      dtype,
      now.slice(axis + 1).reduce((n, d) => n * d, 1),
    );
    const outer = now.slice(0, axis).reduce((n, d) => n * d, 1);
    bytes = along(bytes, outer, now[axis]!, inner, places);
    now[axis] = places.length;
  }
  return new Tensor(dtype, now, bytes);
}

function along(
  from: Uint8Array,
  outer: number,
  size: number,
  inner: number,
  places: readonly number[],
): Uint8Array {
  const to = new Uint8Array(outer * places.length * inner);
  let at = 0;
  for (let o = 0; o < outer; o++)
    for (const place of places) {
      const start = (o * size + place) * inner;
      to.set(from.subarray(start, start + inner), at);
      at += inner;
    }
  return to;
}

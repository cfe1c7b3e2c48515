/** @file Weights in blocks of small integers, as the op MatMulNBits of com.microsoft stores them. */

export type Bits = 4 | 8;

/** Weights that share a scale: consecutive ones of a column. */
export const BLOCK = 32;

export interface Packed {
  /** [N, blocks, bytes of a block]: of two codes in a byte the first is the low one. */
  readonly codes: Uint8Array;
  /** [N, blocks]. */
  readonly scales: Float32Array;
  readonly blocks: number;
}

/**
 *     w ≈ (q − 2^(bits − 1))·s,   s = −m / 2^(bits − 1),   m the weight of the block with the largest magnitude
 *
 * so that m itself, of either sign, has the lowest code and is exact. Source: onnxruntime's block-wise quantizer.
 *
 * @param at weight of row k and column n
 */
export function pack(
  K: number,
  N: number,
  at: (k: number, n: number) => number,
  bits: Bits,
): Packed {
  const blocks = Math.ceil(K / BLOCK);
  const perByte = 8 / bits;
  const middle = 2 ** (bits - 1);
  const codes = new Uint8Array((N * blocks * BLOCK) / perByte);
  const scales = new Float32Array(N * blocks);
  for (let n = 0; n < N; n++)
    for (let b = 0; b < blocks; b++) {
      const first = b * BLOCK;
      const scale = Math.fround(-extreme(K, first, (k) => at(k, n)) / middle);
      scales[n * blocks + b] = scale;
      for (let i = 0; i < BLOCK; i++) {
        const w = first + i < K ? at(first + i, n) : 0;
        const code = scale === 0 ? middle : Math.round(w / scale) + middle;
        const clamped = Math.min(2 * middle - 1, Math.max(0, code));
        const place = (n * blocks + b) * BLOCK + i;
        codes[Math.floor(place / perByte)]! |= clamped << (bits * (place % perByte));
      }
    }
  return { codes, scales, blocks };
}

function extreme(K: number, first: number, at: (k: number) => number): number {
  let most = 0;
  for (let k = first; k < Math.min(K, first + BLOCK); k++)
    if (Math.abs(at(k)) > Math.abs(most)) most = at(k);
  return most;
}

/** @file Jitter of hue, saturation and brightness. */

import { type Augmentation, around } from './scene.ts';

export interface ColourShift {
  /** Added, as a share of the colour circle. */
  readonly hue: number;
  /** Factors. */
  readonly saturation: number;
  readonly value: number;
}

/** Three draws, one per channel of HSV, for the whole picture. */
export const hsv: Augmentation = (scene, { options, rng }) => {
  const shift = {
    hue: around(rng, options.hue),
    saturation: 1 + around(rng, options.saturation),
    value: 1 + around(rng, options.value),
  };
  return { ...scene, colours: [...scene.colours, shift] };
};

/**
 * In HSV (V = max, S = (max − min)/max, H by hexagon): H + hue, min(1, S·saturation), min(255, V·value).
 *
 * Source: A. R. Smith, Color gamut transform pairs, 1978.
 *
 * @param rgb  R, G, B bytes
 * @returns as many, in a new array
 */
export function shiftColours(rgb: Uint8Array, shift: ColourShift): Uint8Array {
  const out = new Uint8Array(rgb.length);
  for (let i = 0; i < rgb.length; i += 3) shiftPixel(rgb, out, i, shift);
  return out;
}

function shiftPixel(from: Uint8Array, to: Uint8Array, i: number, by: ColourShift): void {
  const [r, g, b] = [from[i]!, from[i + 1]!, from[i + 2]!];
  const max = r > g ? (r > b ? r : b) : g > b ? g : b;
  const min = r < g ? (r < b ? r : b) : g < b ? g : b;
  const spread = max - min;
  const v = Math.min(255, max * by.value);
  if (spread === 0) {
    to[i] = to[i + 1] = to[i + 2] = (v + 0.5) | 0;
    return;
  }
  const s = Math.min(1, (spread / max) * by.saturation);
  const sixth =
    max === r ? (g - b) / spread + 6 : max === g ? (b - r) / spread + 2 : (r - g) / spread + 4;
  const turned = sixth + 6 * by.hue + 6;
  const h = turned - 6 * Math.floor(turned / 6);
  const low = v - v * s;
  to[i] = (low + v * s * strength(h) + 0.5) | 0;
  to[i + 1] = (low + v * s * strength(h + 4) + 0.5) | 0;
  to[i + 2] = (low + v * s * strength(h + 2) + 0.5) | 0;
}

/** How much of red a hue (in sixths of the circle) has: 1 within one sixth of it, falling to 0 over the next. */
function strength(h: number): number {
  const at = h >= 6 ? h - 6 : h;
  const away = at < 3 ? at : 6 - at;
  return away <= 1 ? 1 : away >= 2 ? 0 : 2 - away;
}

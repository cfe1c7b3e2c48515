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
 * @param rgb R, G, B bytes; changed in place
 */
export function shiftColours(rgb: Uint8Array, { hue, saturation, value }: ColourShift): void {
  const turn = 6 * (hue - Math.floor(hue));
  const bright = table((v) => Math.min(255, v * value));
  const widen = table((v) => (v === 0 ? 0 : (bright[v]! / v) * saturation));
  const inverse = table((v) => (v === 0 ? 0 : 1 / v));
  for (let i = 0; i < rgb.length; i += 3) {
    const r = rgb[i]!;
    const g = rgb[i + 1]!;
    const b = rgb[i + 2]!;
    const max = r > g ? (r > b ? r : b) : g > b ? g : b;
    const min = r < g ? (r < b ? r : b) : g < b ? g : b;
    const spread = max - min;
    const high = bright[max]!;
    const chroma = Math.min(high, spread * widen[max]!);
    const low = high - chroma + 0.5; // bytes are cut, not rounded
    const h = wrapped(hueOf(r, g, b, max, inverse[spread]!) + turn);
    rgb[i] = low + chroma * nearRed(h);
    rgb[i + 1] = low + chroma * nearRed(wrapped(h + 4));
    rgb[i + 2] = low + chroma * nearRed(wrapped(h + 2));
  }
}

/** A value for each byte. */
const table = (f: (byte: number) => number): Float64Array =>
  Float64Array.from({ length: 256 }, (_, byte) => f(byte));

/** In sixths of the circle, of −1 … 5: red is at 0, green at 2, blue at 4. */
const hueOf = (r: number, g: number, b: number, max: number, inverse: number): number =>
  max === r ? (g - b) * inverse : max === g ? (b - r) * inverse + 2 : (r - g) * inverse + 4;

/** −6 ≤ h < 12 brought to 0 ≤ h < 6. */
const wrapped = (h: number): number => (h >= 6 ? h - 6 : h < 0 ? h + 6 : h);

/** 1 within a sixth of red, falling to 0 over the next sixth. 0 ≤ h < 6, in sixths of the circle. */
function nearRed(h: number): number {
  const near = Math.abs(h - 3) - 1;
  return near < 0 ? 0 : near > 1 ? 1 : near;
}

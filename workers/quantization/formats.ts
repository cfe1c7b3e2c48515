/** @file Integer element types of quantized tensors. */

export const FORMATS = {
  uint8: { min: 0, max: 255 },
  int8: { min: -128, max: 127 },
  uint16: { min: 0, max: 65535 },
  int16: { min: -32768, max: 32767 },
} as const;

export type Format = keyof typeof FORMATS;

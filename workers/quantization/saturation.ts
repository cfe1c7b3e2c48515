/** @file Whether 8-bit products saturate on this machine. */

import { readFile } from 'node:fs/promises';
import { arch } from 'node:process';

/**
 * Without VNNI, x86 multiplies u8 by s8 in pairs whose sum is held in 16 bits: two products of 255·127 overflow it. Weights
 * of 7 bits (±63) never do. ARM and x86 with VNNI add up in 32 bits.
 */
export async function needsReducedRange(): Promise<boolean> {
  if (arch !== 'x64') return false;
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  return cpuinfo !== '' && !/\b(avx512_vnni|avx_vnni|amx_int8)\b/.test(cpuinfo);
}

/** To the nearest integer, halves to the even one: as ONNX Round and QuantizeLinear, Python's round and C's rint. */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest !== 0.5) return rest < 0.5 ? down : down + 1;
  return down % 2 === 0 ? down : down + 1;
}

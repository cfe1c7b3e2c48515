/** @file 1×1 convolutions that join features of different widths: trained along, thrown away at the end. */

import { Value } from '../onnx/graph.ts';
import { shapeOf } from '../onnx/static-shapes.ts';
import { bytesOf, Tensor } from '../onnx/tensor.ts';
import { random } from '../runtime/random.ts';
import type { TrainedTensor } from '../training/parameters.ts';
import type { SignalName } from './signals/registry.ts';
import { misfit } from './sites/named.ts';
import type { Pair } from './sites/site.ts';

/** Signals whose channels are compared one by one. */
const ADAPTED: ReadonlySet<SignalName> = new Set([
  'channel-wise',
  'standardized-mse',
  'feature-mse',
]);

/**
 * @returns undefined where the widths are equal, or do not matter to the signal
 * @throws SIGNAL_DOES_NOT_FIT no adapter joins the shapes
 */
export function adapterOf(
  kind: SignalName,
  { name, student, teacher }: Pair,
  seed: number,
): TrainedTensor | undefined {
  const [x, y] = [student.reads[0]!, teacher.reads[0]!].map((v) => shapeOf(v).slice(1));
  const [[from, ...space], [to, ...other]] = [x!, y!] as [number[], number[]];
  if (`${space}` !== `${other}`)
    throw misfit(
      kind,
      `'${name}' is [${x}] in the student and [${y}] in the teacher: 1×1 convolutions join widths, not sizes`,
    );
  if (from === to || kind === 'attention-map') return undefined;
  if (!ADAPTED.has(kind) || space.length === 0)
    throw misfit(kind, `'${name}' has ${from} channels in the student and ${to} in the teacher`);
  const { normal } = random(seed);
  const data = Float32Array.from({ length: to! * from! }, () => normal() / Math.sqrt(from!));
  const initial = new Tensor('float32', [to!, from!], bytesOf(data));
  const type = { kind: 'tensor', dtype: 'float32', shape: [to!, from!] } as const;
  // The role keeps it from being decayed.
  return { value: new Value(`distill/adapter/${name}`, type, initial), initial, role: 'norm' };
}

/**
 * @file What does calibration cost beside plain inference of the same images? Time of one pass, of all calibrators, and memory.
 *
 *     npm run bench -- calibration MODEL.onnx DATA [--images 128] [--profile onnxruntime-cpu] [--threads 1]
 *
 * Plain: the images decoded, placed and run, nothing else. The pass: the same, and every tensor that the profile can quantize seen.
 * Ranges: all calibrators over what the pass remembers. The last line is JSON.
 */

import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import { openDataset } from '../workers/data/open.ts';
import { readModel } from '../workers/onnx/read.ts';
import { calibrate, type Observed } from '../workers/quantization/calibrate.ts';
import { CALIBRATORS, type CalibratorName } from '../workers/quantization/calibrators/registry.ts';
import { chooseRange } from '../workers/quantization/choose-range.ts';
import { macsAt } from '../workers/quantization/macs-at.ts';
import { place, type QuantizedTensor } from '../workers/quantization/placement.ts';
import { PROFILES, type Profile, type ProfileName } from '../workers/quantization/profiles.ts';
import * as format from '../workers/report/format.ts';
import { inferTypes } from '../workers/runtime/infer-types.ts';
import { freeResults, openSession } from '../workers/runtime/session.ts';
import { feedsOf } from '../workers/tasks/feed.ts';
import { shapeAt } from '../workers/tasks/model-input.ts';
import { bindTask } from '../workers/tasks/registry.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '128' },
    profile: { type: 'string', default: 'onnxruntime-cpu' },
    threads: { type: 'string', default: '1' },
  },
});
const [modelFile, dataPath] = positionals;
if (!modelFile || !dataPath) {
  console.error('usage: calibration MODEL.onnx DATA [--images N] [--profile NAME] [--threads N]');
  process.exit(2);
}

const profile: Profile = PROFILES[values.profile as ProfileName];
const threads = Number(values.threads);
const dataset = await openDataset(dataPath);
const samples = dataset.splits.train.slice(0, Number(values.images));
const model = readModel(readFileSync(modelFile));
const binding = bindTask(model);
await inferTypes(model);

interface Cost {
  readonly what: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function timed<T>(what: string, work: () => Promise<T>): Promise<[Cost, T]> {
  const [started, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  const seconds = (performance.now() - started) / 1000;
  return [{ what, seconds, cpuSeconds: (user + system) / 1e6 }, result];
}

async function plain(): Promise<void> {
  const session = await openSession(model, { threads });
  for await (const feeds of feedsOf(samples, binding)) freeResults(await session.run(feeds));
  await session.release();
}

async function tensorsOf(): Promise<readonly QuantizedTensor[]> {
  const { input } = binding;
  const dims = input ? { [input.name]: shapeAt(input, input.batch) } : {};
  return place(model.graph, {
    profile,
    keepFloat: { matches: () => false },
    macs: await macsAt(model, dims),
    floatShare: 0,
    drowned: new Map(),
  }).tensors;
}

const pass = (tensors: readonly QuantizedTensor[]) =>
  calibrate(model, tensors, feedsOf(samples, binding), {
    images: samples.length,
    threads,
    provider: 'cpu',
    signal: new AbortController().signal,
    onImage: () => {},
  });

async function ranges(
  tensors: readonly QuantizedTensor[],
  observed: ReadonlyMap<string, Observed>,
  name: CalibratorName,
): Promise<void> {
  for (const tensor of tensors)
    chooseRange(tensor, observed.get(tensor.value.name)!.histogram, profile.activations[8]!, name);
}

const tensors = await tensorsOf();
const costs: Cost[] = [(await timed('plain inference', plain))[0]];
const [passed, observed] = await timed('one pass over all tensors', () => pass(tensors));
costs.push(passed);
for (const name of Object.keys(CALIBRATORS) as CalibratorName[])
  costs.push((await timed(`ranges: ${name}`, () => ranges(tensors, observed, name)))[0]);
const [first, ...others] = costs as [Cost, ...Cost[]];
const all: Cost = {
  what: 'calibration, all of it',
  seconds: others.reduce((sum, c) => sum + c.seconds, 0),
  cpuSeconds: others.reduce((sum, c) => sum + c.cpuSeconds, 0),
};
const peakRss = process.resourceUsage().maxRSS * 1024;
console.log(`${samples.length} images, ${tensors.length} tensors, ${threads} thread(s)`);
console.log(
  table([
    ['', 'time', 'CPU', 'of plain inference'],
    ...[...costs, all].map((c) => [
      c.what,
      format.seconds(c.seconds),
      format.seconds(c.cpuSeconds),
      format.factor(c.cpuSeconds / first.cpuSeconds),
    ]),
  ]),
);
console.log(`peak RSS ${format.bytes(peakRss)}`);
console.log(
  JSON.stringify({ images: samples.length, tensors: tensors.length, costs, all, peakRss }),
);

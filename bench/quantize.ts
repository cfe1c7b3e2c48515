/**
 * @file What does int8 cost and give, beside other tools? Time, memory, bytes, mAP, agreement, fused share, speed-up.
 *
 *     npm run bench -- quantize MODEL.onnx DATA [--images 128] [--profiles onnxruntime-cpu,generic] [--peer FILE.onnx …]
 *
 * Every file is judged by the same evaluator in this one run. A peer is an int8 file that another tool made of the same
 * model; with PEER_PYTHON and PEER_SCRIPTS set (a folder with ort_ptq.py and nncf_ptq.py) they are made here first.
 */

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import { openDataset } from '../workers/data/open.ts';
import { agreement } from '../workers/evaluation/agreement.ts';
import { evaluate } from '../workers/evaluation/evaluate.ts';
import { pairedLatency } from '../workers/evaluation/latency.ts';
import { readModel } from '../workers/onnx/read.ts';
import * as format from '../workers/report/format.ts';
import { runJob } from '../workers/run-job.ts';
import { bindTask } from '../workers/tasks/registry.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '128' },
    profiles: { type: 'string', default: 'onnxruntime-cpu,generic' },
    peer: { type: 'string', multiple: true, default: [] },
  },
});
const [modelFile, dataPath] = positionals;
if (!modelFile || !dataPath) {
  console.error(
    'usage: quantize MODEL.onnx DATA [--images N] [--profiles A,B] [--peer FILE.onnx …]',
  );
  process.exit(2);
}

interface Made {
  readonly name: string;
  readonly file: string;
  readonly seconds: number | undefined;
  readonly peakRss: number | undefined;
  readonly fused: string;
}

const folder = mkdtempSync(join(tmpdir(), 'lathe-bench-'));
const dataset = await openDataset(dataPath);
const original = readFileSync(modelFile);
const binding = bindTask(readModel(original), { classes: dataset.classes });

async function ours(profile: string): Promise<Made> {
  const out = join(folder, profile);
  const stage = { stage: 'quantize', profile, images: Number(values.images) };
  const { report } = await runJob({
    folder: out,
    spec: { stages: [stage] },
    model: resolve(modelFile!),
    dataset: resolve(dataPath!),
    onEvent: () => {},
    signal: new AbortController().signal,
  });
  const [made] = report.stages;
  const { fusedConvs, convs } = made!.details as { fusedConvs: number; convs: number };
  return {
    name: `lathe ${profile}`,
    file: join(out, 'model.onnx'),
    seconds: made!.seconds,
    peakRss: made!.peakRssBytes,
    fused: `${fusedConvs}/${convs}`,
  };
}

/** Files that other tools make of the same model, where they are installed. */
function peers(): Made[] {
  const [python, scripts] = [process.env['PEER_PYTHON'], process.env['PEER_SCRIPTS']];
  const given = values.peer.map((file) => ({ file, seconds: undefined }));
  const size = String(binding.inputSize[0]);
  const run = (script: string, variant: string) => {
    const out = join(folder, `${script}-${variant}`);
    const started = performance.now();
    const args = [
      join(scripts!, script),
      '--variant',
      variant,
      '--size',
      size,
      '--images',
      values.images,
      '--out',
      out,
    ];
    const { status } = spawnSync(python!, args, { stdio: ['ignore', 2, 2] });
    const seconds = (performance.now() - started) / 1000;
    return status === 0 ? globSync(`${out}/**/*.onnx`).map((file) => ({ file, seconds })) : [];
  };
  const built =
    python && scripts
      ? [...run('ort_ptq.py', 'minmax_pc_u8_tail'), ...run('nncf_ptq.py', 'onnx_example')]
      : [];
  return [...given, ...built].map(({ file, seconds }) => ({
    name: basename(file),
    file,
    seconds,
    peakRss: undefined,
    fused: '–',
  }));
}

const made: Made[] = [];
for (const profile of values.profiles.split(',')) made.push(await ours(profile));
made.push(...peers());

const val = dataset.splits.val;
const reference = await evaluate(original, binding, val);
const [, ...latencies] = await pairedLatency([original, ...made.map((m) => readFileSync(m.file))], {
  inputSize: binding.inputSize,
});
const headline = binding.headline;
const rows = [
  [
    'file',
    format.metricName(headline),
    'agreement',
    'size',
    'fused',
    'speed-up',
    'time',
    'peak RSS',
  ],
];
rows.push([
  'float',
  format.score(reference.metrics[headline] ?? 1),
  '1.0000',
  format.bytes(original.length),
  '–',
  '1×',
  '–',
  '–',
]);
for (const [i, m] of made.entries()) {
  const bytes = readFileSync(m.file);
  const own = await evaluate(bytes, bindTask(readModel(bytes), { classes: dataset.classes }), val);
  rows.push([
    m.name,
    own.metrics[headline] === undefined ? '–' : format.score(own.metrics[headline]),
    format.score(agreement(reference, own, binding)),
    format.bytes(bytes.length),
    m.fused,
    format.factor(latencies[i]!.speedup),
    m.seconds === undefined ? '–' : format.seconds(m.seconds),
    m.peakRss === undefined ? '–' : format.bytes(m.peakRss),
  ]);
}
console.log(table(rows));
rmSync(folder, { recursive: true, force: true });

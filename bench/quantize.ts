/**
 * @file What does int8 cost and give, beside other tools? Time, memory, bytes, mAP, agreement, fused share, speed-up.
 *
 *     npm run bench -- quantize MODEL.onnx DATA [--images 128] [--profiles onnxruntime-cpu,openvino,generic] [--precision int8]
 *         [--rounding nearest] [--peer FILE.onnx …]
 *
 * Every file is judged by the same evaluator and timed in the same interleaved run. A peer is an int8 file that another tool made of
 * the same model; with PEER_PYTHON and PEER_SCRIPTS set (a folder with ort_ptq.py and nncf_ptq.py, which quantize YOLOv8n on images of
 * their own) they are made here, one after the other, and where PEER_PYTHON has OpenVINO every file is timed there too. The last line is
 * JSON.
 */

import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import type { JobEvent } from '../src/contract/events.ts';
import { openDataset } from '../workers/data/open.ts';
import { agreement } from '../workers/evaluation/agreement.ts';
import { evaluate } from '../workers/evaluation/evaluate.ts';
import { pairedLatency } from '../workers/evaluation/latency.ts';
import { readModel } from '../workers/onnx/read.ts';
import { optimised } from '../workers/quantization/runtime-graph.ts';
import * as format from '../workers/report/format.ts';
import { runJob } from '../workers/run-job.ts';
import { bindTask } from '../workers/tasks/registry.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '128' },
    profiles: { type: 'string', default: 'onnxruntime-cpu,openvino,generic' },
    precision: { type: 'string', default: 'int8' },
    rounding: { type: 'string', default: 'nearest' },
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

/** One file, and what making it took; null: not known. */
interface Made {
  readonly name: string;
  readonly file: string;
  readonly seconds: number | null;
  readonly cpuSeconds: number | null;
  readonly peakRss: number | null;
}

/** What one file is worth. */
interface Judged extends Made {
  readonly bytes: number;
  /** The task's headline metric; null without labels. */
  readonly metric: number | null;
  readonly agreement: number;
  readonly fused: number;
  readonly convs: number;
  /** In onnxruntime, with its 95 % interval. */
  readonly speedup: number;
  readonly interval: readonly [number, number];
  /** In OpenVINO; null: it is not there, or does not run the file. */
  readonly openvino: number | null;
}

const folder = mkdtempSync(join(tmpdir(), 'lathe-bench-'));
const dataset = await openDataset(dataPath);
const original = readFileSync(modelFile);
const classes = { classes: dataset.classes };
const binding = bindTask(readModel(original), classes);
const python = process.env['PEER_PYTHON'];
const scripts = process.env['PEER_SCRIPTS'];

async function ours(profile: string): Promise<Made> {
  const out = join(folder, profile);
  const { precision, rounding } = values;
  const stage = { stage: 'quantize', profile, precision, rounding, images: Number(values.images) };
  const clock = new StageClock();
  const { report } = await runJob({
    folder: out,
    spec: { stages: [stage] },
    model: resolve(modelFile!),
    dataset: resolve(dataPath!),
    onEvent: clock.see,
    signal: new AbortController().signal,
  });
  const [made] = report.stages;
  return {
    name: `lathe ${profile}`,
    file: join(out, 'model.onnx'),
    seconds: made!.seconds,
    cpuSeconds: clock.cpuSeconds,
    peakRss: made!.peakRssBytes,
  };
}

/** CPU time of this process between the start of a stage and the evaluation of what it made. */
class StageClock {
  cpuSeconds: number | null = null;
  #begun: NodeJS.CpuUsage | undefined;

  see = (event: JobEvent): void => {
    if (event.type === 'stage' && event.status === 'running') this.#begun = process.cpuUsage();
    const over = event.type === 'progress' && this.#begun && /^evaluating/.test(event.doing ?? '');
    if (!over || this.cpuSeconds !== null) return;
    const { user, system } = process.cpuUsage(this.#begun);
    this.cpuSeconds = (user + system) / 1e6;
  };
}

/** Variants of the peers' scripts: the one that fuses, the best that fuses, the most accurate. */
const PEERS = [
  ['ort_ptq.py', 'minmax_pc_u8_tail'],
  ['ort_ptq.py', 'percentile_pc_u8_head_stride16'],
  ['nncf_ptq.py', 'onnx_example'],
] as const;

function peers(): Made[] {
  const given = values.peer.map((file) => ({
    file,
    seconds: null,
    cpuSeconds: null,
    peakRss: null,
  }));
  const built =
    python && scripts ? PEERS.flatMap(([script, variant]) => peer(script, variant)) : [];
  return [...given, ...built].map((made) => ({ name: basename(made.file), ...made }));
}

/** What a peer's script says of itself: a line that begins with RESULT. */
function peer(script: string, variant: string): Omit<Made, 'name'>[] {
  const out = join(folder, `${script}-${variant}`);
  const size = String(binding.inputSize[0]);
  const asked = ['--variant', variant, '--size', size, '--images', values.images, '--out', out];
  const args = [join(scripts!, script), ...asked];
  const { status, stdout } = spawnSync(python!, args, { stdio: ['ignore', 'pipe', 2] });
  const said = /^RESULT (.*)$/m.exec(String(stdout))?.[1];
  if (status !== 0 || !said) return [];
  const { wall_s, cpu_s, peak_rss_mb } = JSON.parse(said) as Record<string, number>;
  return globSync(`${out}/**/*.onnx`).map((file) => ({
    file,
    seconds: wall_s ?? null,
    cpuSeconds: cpu_s ?? null,
    peakRss: peak_rss_mb === undefined ? null : peak_rss_mb * 1e6,
  }));
}

/** Speed-up of each file over the first in OpenVINO, interleaved; null where it does not run. */
function openvinoSpeedups(files: readonly string[]): readonly (number | null)[] {
  const none = files.map(() => null);
  if (!python) return none;
  const program = join(import.meta.dirname, 'openvino-latency.py');
  const { status, stdout } = spawnSync(python, [program, ...files], {
    stdio: ['ignore', 'pipe', 2],
  });
  return status === 0 ? (JSON.parse(String(stdout)) as (number | null)[]) : none;
}

async function judged(made: readonly Made[]): Promise<Judged[]> {
  const reference = await evaluate(original, binding, dataset.splits.val);
  const files = made.map(({ file }) => readFileSync(file));
  const latencies = await pairedLatency(files, { inputSize: binding.inputSize });
  const elsewhere = openvinoSpeedups(made.map(({ file }) => file));
  const results: Judged[] = [];
  for (const [i, bytes] of files.entries()) {
    const own = await evaluate(bytes, bindTask(readModel(bytes), classes), dataset.splits.val);
    const { graph } = await optimised(bytes, { provider: 'cpu', scratch: folder });
    const count = (op: RegExp) => graph.nodes.filter((n) => op.test(n.op)).length;
    results.push({
      ...made[i]!,
      bytes: bytes.length,
      metric: own.metrics[binding.headline] ?? null,
      agreement: agreement(reference, own, binding),
      fused: count(/^QLinearConv$/),
      convs: count(/^(QLinearConv|Conv|FusedConv)$/),
      speedup: latencies[i]!.speedup,
      interval: latencies[i]!.interval,
      openvino: elsewhere[i] ?? null,
    });
  }
  return results;
}

const or = <T>(value: T | null, text: (value: T) => string) => (value === null ? '–' : text(value));

const float: Made = {
  ...{ name: 'float', file: resolve(modelFile), seconds: null, cpuSeconds: null, peakRss: null },
};
const made: Made[] = [float];
for (const profile of values.profiles.split(',')) made.push(await ours(profile));
made.push(...peers());
const results = await judged(made);
rmSync(folder, { recursive: true, force: true });
const names = ['file', format.metricName(binding.headline), 'agreement', 'size', 'fused'];
const costs = ['speed-up', 'OpenVINO', 'time', 'CPU', 'peak RSS'];
console.log(
  table([
    [...names, ...costs],
    ...results.map((r) => [
      r.name,
      or(r.metric, format.score),
      format.score(r.agreement),
      format.bytes(r.bytes),
      `${r.fused}/${r.convs}`,
      format.factor(r.speedup),
      or(r.openvino, format.factor),
      or(r.seconds, format.seconds),
      or(r.cpuSeconds, format.seconds),
      or(r.peakRss, format.bytes),
    ]),
  ]),
);
console.log(JSON.stringify(results.map(({ file: _, ...rest }) => rest)));

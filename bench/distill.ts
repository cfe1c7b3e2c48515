/**
 * @file Which weighting of which signals wins most back? A student beside its teacher, by rule and signals, beside plain training.
 *
 *     npm run bench -- distill STUDENT.onnx TEACHER.onnx DATA [--rules gap,constant:1] [--signals logit-bce+box-distribution]
 *       [--seeds 3] [--epochs 10] [--threads 1] [--minutes 60] [--out FOLDER]
 *
 * A rule is a name, or a name and its λ: constant:0.3. Plain training is always there, once for as many epochs and once for as many
 * more as take the teacher's time. With --out, runs that are there are not repeated. After --minutes no new run begins. Figures are of the
 * test split, mean ± deviation over the seeds.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { table } from '../cli/table.ts';
import type { StageSpec } from '../src/contract/job.ts';
import type { Report } from '../src/contract/report.ts';
import { runJob } from '../workers/run-job.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rules: { type: 'string', default: 'gap,constant:1' },
    signals: { type: 'string', default: 'logit-bce+box-distribution' },
    seeds: { type: 'string', default: '3' },
    epochs: { type: 'string', default: '10' },
    threads: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '60' },
    out: { type: 'string' },
    plain: { type: 'string', default: '1,1.3' },
    lr: { type: 'string', default: 'auto' },
  },
});
const [student, teacher, data] = positionals;
if (!student || !teacher || !data) {
  console.error('usage: distill STUDENT.onnx TEACHER.onnx DATA [--rules A,B] [--signals A+B,C]');
  process.exit(2);
}
const out = values.out ?? mkdtempSync(join(tmpdir(), 'lathe-bench-'));
const started = Date.now();

interface Way {
  readonly name: string;
  readonly stage: StageSpec;
}

const epochs = Number(values.epochs);
const lr = values.lr === 'auto' ? 'auto' : Number(values.lr);
const plain: Way[] = values.plain.split(',').map((factor) => ({
  name: `finetune, ${factor} × the epochs`,
  stage: { stage: 'finetune', epochs: epochs * Number(factor), lr },
}));
const taught: Way[] = values.signals.split(',').flatMap((signals) =>
  values.rules.split(',').map((rule) => ({
    name: `${rule} · ${signals}`,
    stage: {
      stage: 'distill',
      epochs,
      lr,
      teacher: 'teacher',
      signals: signals.split('+').map((kind) => ({ kind })),
      weighting: ruleOf(rule),
    },
  })),
);

function ruleOf(text: string) {
  const [rule, lambda] = text.split(':');
  return lambda === undefined ? rule : { rule, lambda: Number(lambda) };
}

interface Figures {
  readonly test: number;
  readonly tune: number;
  readonly seconds: number;
}

/** @returns undefined where the time is up */
async function run({ name, stage }: Way, seed: number): Promise<Figures | undefined> {
  const folder = join(out, `${name.replace(/[^\w.-]+/g, '_')}-${epochs}-${lr}-${seed}`);
  const file = join(folder, 'report.json');
  if (!existsSync(file)) {
    if (Date.now() - started > 60_000 * Number(values.minutes)) return undefined;
    mkdirSync(folder, { recursive: true });
    await runJob({
      folder,
      spec: { stages: [stage], seed },
      model: student!,
      models: { teacher: teacher! },
      dataset: data!,
      threads: Number(values.threads),
      onEvent: () => {},
      signal: new AbortController().signal,
    });
  }
  const report = JSON.parse(readFileSync(file, 'utf8')) as Report;
  const [one] = report.stages;
  const { test, metrics } = one!.after;
  const figures = {
    test: (test ?? metrics)[report.headline]!,
    tune: Number(one!.details['best']),
    seconds: one!.seconds,
  };
  console.error(`${name}, seed ${seed}: ${JSON.stringify(figures)}`);
  return figures;
}

const mean = (xs: readonly number[]) => xs.reduce((a, b) => a + b, 0) / xs.length;
const deviation = (xs: readonly number[]) =>
  xs.length < 2
    ? 0
    : Math.sqrt(mean(xs.map((x) => (x - mean(xs)) ** 2)) * (xs.length / (xs.length - 1)));
const spread = (xs: readonly number[]) => `${mean(xs).toFixed(4)} ± ${deviation(xs).toFixed(4)}`;

const found = new Map<string, Figures[]>();
for (let seed = 0; seed < Number(values.seeds); seed++)
  for (const way of [...plain, ...taught]) {
    const figures = await run(way, seed);
    if (figures) found.set(way.name, [...(found.get(way.name) ?? []), figures]);
  }
const rows = [...found].map(([name, all]) => [
  name,
  spread(all.map((f) => f.test)),
  spread(all.map((f) => f.tune)),
  String(all.length),
  Math.round(mean(all.map((f) => f.seconds))).toString(),
]);
console.log(table([['way', 'test', 'tune', 'seeds', 's'], ...rows]));
console.log(JSON.stringify(Object.fromEntries(found)));

/** @file report.json: what every stage cost and gave. Published as a JSON Schema; see `openapi/report.schema.json`. */

import { type Static, Type } from 'typebox';
import { Accept, AcceptCheck } from './accept.ts';
import { Preprocess } from './preprocess.ts';

const Metrics = Type.Record(Type.String(), Type.Number(), {
  description: 'Metric name → value: map50, map50_95, top1, top5, agreement …',
});

export const Latency = Type.Object({
  median: Type.Number({ description: 'Milliseconds.' }),
  p95: Type.Number({ description: 'Milliseconds.' }),
});
export type Latency = Static<typeof Latency>;

export const PerClass = Type.Array(
  Type.Object({
    name: Type.String(),
    images: Type.Optional(Type.Integer()),
    labels: Type.Integer({ description: 'Ground-truth boxes, or images of the class.' }),
    metrics: Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()])),
  }),
);
export type PerClass = Static<typeof PerClass>;

/** A precision-recall curve at one IoU: precision at 101 recall points. */
export const PrCurve = Type.Object({
  name: Type.String(),
  iou: Type.Number(),
  precision: Type.Array(Type.Number()),
});
export type PrCurve = Static<typeof PrCurve>;

/** One model as measured: `metrics` hold the val split; `test` beside it where the data set has one. */
export const Measured = Type.Object({
  metrics: Metrics,
  test: Type.Optional(Metrics),
  perClass: Type.Optional(PerClass),
  curves: Type.Optional(Type.Array(PrCurve)),
  params: Type.Integer(),
  macs: Type.Integer(),
  bytes: Type.Integer(),
  latencyMs: Type.Union([Latency, Type.Null()]),
});
export type Measured = Static<typeof Measured>;

/** What precision `mixed` of `quantize` tried, kept and took out of 8 bits. */
export const MixedPrecision = Type.Object({
  budget: Type.Object({
    maxDrop: Type.Optional(Type.Number()),
    minAgreement: Type.Optional(Type.Number()),
  }),
  held: Type.Boolean({ description: 'By the model that was kept, on the tune images.' }),
  flips: Type.Array(
    Type.Object({
      tensor: Type.String(),
      to: Type.Enum(['float', '16 bit']),
      harm: Type.Number({ description: 'Noise over signal of the outputs that goes with it.' }),
      macs: Type.Number({ description: 'Multiply-accumulates that leave 8 bits with it.' }),
    }),
    { description: 'What left 8 bits, the best bargain first.' },
  ),
  pareto: Type.Array(
    Type.Object({
      flips: Type.Integer({ description: 'How many of the most harmful left 8 bits.' }),
      convMacs8bit: Type.Number({ description: 'Share of the Conv MACs left in 8 bits.' }),
      agreement: Type.Number(),
      drop: Type.Union([Type.Number(), Type.Null()]),
      held: Type.Boolean(),
    }),
    { description: 'Every way that was tried, on the tune images.' },
  ),
  sensitivitySeconds: Type.Number(),
});
export type MixedPrecision = Static<typeof MixedPrecision>;

/** Each stage's own; what is typed here is what other programs build on. */
const Details = Type.Unsafe<Record<string, unknown>>(
  Type.Object({ mixed: Type.Optional(MixedPrecision) }, { additionalProperties: true }),
);

export const StageReport = Type.Object({
  stage: Type.String(),
  options: Type.Record(Type.String(), Type.Unknown(), {
    description: 'With every default filled in.',
  }),
  seconds: Type.Number(),
  peakRssBytes: Type.Integer(),
  resumed: Type.Boolean(),
  input: Type.String(),
  output: Type.String(),
  after: Type.Intersect([
    Measured,
    Type.Object({
      speedup: Type.Union([Type.Number(), Type.Null()], {
        description: 'Median of the paired latency ratios job input / this model.',
      }),
      speedupInterval: Type.Optional(
        Type.Tuple([Type.Number(), Type.Number()], { description: '95 %.' }),
      ),
    }),
  ]),
  details: Details,
  warnings: Type.Array(Type.String()),
});
export type StageReport = Static<typeof StageReport>;

/** What one stage spent of `accept.maxDrop`, on the tune images. */
export const LedgerEntry = Type.Object({
  index: Type.Integer({ description: 'Of the stage, from 0.' }),
  stage: Type.String(),
  before: Type.Number({ description: 'The metric of the model that the stage was given.' }),
  after: Type.Number({ description: 'The metric of the model that it made.' }),
  spent: Type.Number({ description: 'before − after; below 0: it won back.' }),
  left: Type.Number({ description: 'Of maxDrop, for the stages to come; below 0: overspent.' }),
  steppedBackTo: Type.Union([Type.Integer(), Type.Null()], {
    description:
      'The stage whose result was taken in place of this one’s, which spent more than was left; −1: the job’s input; null: this one’s stays.',
  }),
});
export type LedgerEntry = Static<typeof LedgerEntry>;

export const Report = Type.Object(
  {
    version: Type.Literal(1),
    job: Type.Optional(Type.String()),
    name: Type.Optional(Type.String({ description: 'File name of the input model.' })),
    task: Type.Enum(['detect', 'classify', 'generic']),
    headline: Type.String({
      description: 'The metric that maxDrop is about: map50_95, top1 or agreement.',
    }),
    preprocess: Preprocess,
    classes: Type.Optional(Type.Array(Type.String())),
    dataset: Type.Union([
      Type.Object({
        id: Type.String(),
        images: Type.Object({ train: Type.Integer(), val: Type.Integer(), test: Type.Integer() }),
        labelled: Type.Boolean(),
      }),
      Type.Null(),
    ]),
    input: Type.String(),
    output: Type.String(),
    baseline: Measured,
    stages: Type.Array(StageReport),
    ledger: Type.Optional(
      Type.Object(
        {
          metric: Type.String(),
          images: Type.Integer({ description: 'Tune images: a seeded part of train.' }),
          maxDrop: Type.Number(),
          before: Type.Number({ description: 'The metric of the input model.' }),
          entries: Type.Array(LedgerEntry),
        },
        { description: 'How accept.maxDrop was shared out: jobs of several stages.' },
      ),
    ),
    final: Type.Object({
      metrics: Metrics,
      drop: Type.Union([Type.Number(), Type.Null()], {
        description: 'baseline − final, headline metric, val.',
      }),
      agreement: Type.Union([Type.Number(), Type.Null()]),
      speedup: Type.Union([Type.Number(), Type.Null()]),
      speedupInterval: Type.Optional(Type.Tuple([Type.Number(), Type.Number()])),
      compression: Type.Number({ description: 'Bytes before / after.' }),
      bytes: Type.Integer(),
      params: Type.Integer(),
      macs: Type.Integer(),
    }),
    accept: Type.Object({
      limits: Accept,
      passed: Type.Boolean(),
      checks: Type.Array(AcceptCheck),
    }),
    samples: Type.Optional(
      Type.Array(
        Type.Object({
          image: Type.String({ description: 'Path inside the data set.' }),
          width: Type.Integer(),
          height: Type.Integer(),
          jpeg: Type.String({ description: 'Base64.' }),
          before: Type.Array(Type.Unknown()),
          after: Type.Array(Type.Unknown()),
        }),
        { description: 'Up to six val images with what each model says of them.' },
      ),
    ),
    warnings: Type.Array(Type.String()),
    spec: Type.Record(Type.String(), Type.Unknown(), {
      description: 'The job spec, defaults filled in.',
    }),
    command: Type.String({ description: 'Repeats the job.' }),
    environment: Type.Object({
      lathe: Type.String(),
      onnxruntime: Type.String(),
      node: Type.String(),
      platform: Type.String(),
      cpu: Type.String(),
      executionProvider: Type.String(),
      latencyThreads: Type.Integer(),
      seed: Type.Integer(),
      startedAt: Type.String(),
      seconds: Type.Number(),
    }),
  },
  { $id: 'Report' },
);
export type Report = Static<typeof Report>;

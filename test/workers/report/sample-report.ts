/** @file A report with something in every field. */

import type { Measured, Report } from '../../../src/contract/report.ts';

const measured = (bytes: number, map: number, ms: number): Measured => ({
  metrics: { map50: map + 0.2, map50_95: map, agreement: 0.98 },
  test: { map50_95: map },
  perClass: [
    { name: 'cat', labels: 30, metrics: { map50_95: map, map50: map + 0.2 } },
    { name: 'dog', labels: 0, metrics: { map50_95: null, map50: null } },
  ],
  curves: [
    { name: 'cat', iou: 0.5, precision: Array.from({ length: 101 }, (_, i) => 1 - i / 101) },
  ],
  params: 3_000_000,
  macs: 1_000_000_000,
  bytes,
  latencyMs: { median: ms, p95: ms * 1.2 },
});

export function sampleReport(): Report {
  const box = { class: 0, name: 'cat', score: 0.9, x: 10, y: 10, width: 50, height: 40 };
  return {
    version: 1,
    name: 'pets.onnx',
    task: 'detect',
    headline: 'map50_95',
    preprocess: {
      channels: 'rgb',
      scale: 1 / 255,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      resize: 'letterbox',
      pad: 114,
    },
    classes: ['cat', 'dog'],
    dataset: { id: 'sha256:1', images: { train: 10, val: 5, test: 0 }, labelled: true },
    input: 'sha256:2',
    output: 'sha256:3',
    baseline: measured(12_000_000, 0.6, 30),
    stages: [
      {
        stage: 'quantize',
        options: { precision: 'int8' },
        seconds: 12,
        peakRssBytes: 400e6,
        resumed: false,
        input: 'sha256:2',
        output: 'sha256:3',
        after: { ...measured(3_000_000, 0.595, 18), speedup: 1.67, speedupInterval: [1.6, 1.7] },
        details: { convMacs8bit: 0.98, tensors: [{ tensor: 'a', sqnrDb: 12.5 }] },
        warnings: ['few images'],
      },
    ],
    final: {
      metrics: { map50_95: 0.595 },
      drop: 0.005,
      agreement: 0.98,
      speedup: 1.67,
      speedupInterval: [1.6, 1.7],
      compression: 4,
      bytes: 3_000_000,
      params: 3_000_000,
      macs: 1_000_000_000,
    },
    accept: {
      limits: { maxDrop: 0.01 },
      passed: true,
      checks: [{ limit: 'maxDrop', allowed: 0.01, measured: 0.005, passed: true }],
    },
    samples: [
      {
        image: 'val/1.jpg',
        width: 100,
        height: 80,
        jpeg: '/9j/',
        before: [{ ...box }],
        after: [{ ...box }],
      },
    ],
    warnings: [],
    spec: { stages: [{ stage: 'quantize' }] },
    command: 'lathe run spec.json --model pets.onnx --out out',
    environment: {
      lathe: '0.1.0',
      onnxruntime: '1.30.0',
      node: '24.21.0',
      platform: 'linux-x64',
      cpu: 'a CPU',
      executionProvider: 'cpu',
      latencyThreads: 1,
      seed: 0,
      startedAt: '2026-01-01T00:00:00.000Z',
      seconds: 60,
    },
  };
}

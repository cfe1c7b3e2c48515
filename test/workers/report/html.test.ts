/** @file report.html: what it shows, what it keeps out. */

import { expect, test } from 'vitest';

import type { Report } from '../../../src/contract/report.ts';
import { renderHtml } from '../../../workers/report/html.ts';
import { sampleReport } from './sample-report.ts';

const HOSTILE = `"><script>alert(1)</script><img src=x onerror='a'>`;

test('shows the verdict first, then what changed, the stages, classes, samples, environment and command', () => {
  const page = renderHtml(sampleReport());

  const order = [
    'Accepted',
    'File size',
    'mAP50-95',
    'Stages',
    'Largest losses per tensor',
    'Accuracy',
    'Classes',
    'Sample images',
    'Environment',
    'Repeat this job',
  ];
  const places = order.map((word) => page.indexOf(word));
  expect(places.every((p) => p > 0)).toBe(true);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  expect(page).toContain('4.00× smaller');
  expect(page).toContain('lathe run spec.json');
});

test('a rejected result says so, with the limit and what was measured', () => {
  const report = sampleReport();
  report.accept = {
    limits: { maxDrop: 0.01 },
    passed: false,
    checks: [{ limit: 'maxDrop', allowed: 0.01, measured: 0.0213, passed: false }],
  };

  const page = renderHtml(report);

  expect(page).toMatch(/Rejected[\s\S]*✗[\s\S]*maxDrop[\s\S]*0\.0100: measured 0\.0213/);
});

test('a result that is slower than its input says so at the top', () => {
  const report = sampleReport();
  report.final.speedup = 0.51;

  const page = renderHtml(report);

  expect(page.indexOf('slower than the input')).toBeGreaterThan(0);
  expect(page.indexOf('slower than the input')).toBeLessThan(page.indexOf('Stages'));
});

test('a quantized stage tells its share in 8 bits and what stayed in float, by reason', () => {
  const report = sampleReport();
  report.stages[0]!.details = {
    convMacs8bit: 0.981,
    convs: 64,
    fusedConvs: 57,
    float: [
      { tensor: 'a', reason: 'output layer' },
      { tensor: 'b', reason: 'output layer' },
      { tensor: 'c', reason: 'as keepFloat asks' },
    ],
  };

  const page = renderHtml(report);

  expect(page).toContain('98.1 % of the multiply-accumulates');
  expect(page).toContain('57 of 64 convolutions');
  expect(page).toContain('Kept in float: 3 tensors');
  expect(page).toMatch(/output layer<\/td><td[^>]*>2<\/td><td[^>]*>a, b</);
});

test('a box that only one model found is dashed, and counted', () => {
  const report = sampleReport();
  report.samples![0]!.after = [];

  const page = renderHtml(report);

  expect(page.match(/stroke-dasharray/g)).toHaveLength(1);
  expect(page).toContain('before: 1 found, 1 alone');
  expect(page).toContain('after: 0 found');
});

test('each column keeps its name where a phone shows rows as blocks', () => {
  const page = renderHtml(sampleReport());

  for (const name of ['bytes', 'latency', 'val before', 'change'])
    expect(page).toContain(`data-label="${name}"`);
});

const places: Record<string, (r: Report) => void> = {
  'model name': (r) => {
    r.name = HOSTILE;
  },
  'class name': (r) => {
    r.baseline.perClass![0]!.name = HOSTILE;
  },
  'tensor name': (r) => {
    r.stages[0]!.details = {
      tensors: [{ tensor: HOSTILE, sqnrDb: 1 }],
      float: [{ tensor: HOSTILE }],
    };
  },
  warning: (r) => {
    r.warnings.push(HOSTILE);
  },
  'image path': (r) => {
    r.samples![0]!.image = HOSTILE;
  },
  'box label': (r) => {
    (r.samples![0]!.before[0] as { name: string }).name = HOSTILE;
  },
  'class and column': (r) => {
    r.baseline.perClass![0]!.metrics[HOSTILE] = 1;
    r.baseline.metrics[HOSTILE] = 1;
  },
  'reason to stay in float': (r) => {
    r.stages[0]!.details = { float: [{ tensor: 'a', reason: HOSTILE }] };
  },
  'detail of a stage': (r) => {
    r.stages[0]!.details = { [HOSTILE]: HOSTILE, list: [HOSTILE] };
  },
  'stage name': (r) => {
    r.stages[0]!.stage = HOSTILE;
  },
  command: (r) => {
    r.command = HOSTILE;
  },
  'spec value': (r) => {
    r.spec = { labels: { team: HOSTILE } };
  },
};

test.each(Object.entries(places))('a %s that is markup stays text', (_, put) => {
  const report = sampleReport();
  put(report);

  const page = renderHtml(report);

  expect(page).not.toContain('<script');
  expect(page).not.toMatch(/<img/);
  expect(page).toContain('&lt;script&gt;');
});

test('loads nothing from elsewhere and runs nothing', () => {
  const page = renderHtml(sampleReport());

  const links = [...page.matchAll(/(?:\ssrc=|\shref=|url\()["']?([^"')>\s]+)/g)].map(
    ([, target]) => target!,
  );
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((l) => !l.startsWith('data:image/jpeg;base64,'))).toEqual([]);
  expect(page).not.toMatch(/<script|<link|<iframe|\son\w+=/);
  expect(page).toContain('default-src &#39;none&#39;');
});

test('renders without data set, latency, samples or stages', () => {
  const report = sampleReport();
  Object.assign(report, { dataset: null, stages: [], samples: [] });
  report.baseline = { ...report.baseline, metrics: {}, latencyMs: null, perClass: [], curves: [] };
  Object.assign(report.final, { metrics: {}, drop: null, agreement: null, speedup: null });

  expect(renderHtml(report)).toContain('Environment');
});

/** @file Where and how the job ran, and how to run it again. */

import type { Report } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';

export function environment(report: Report): Markup {
  const { environment: e, dataset, preprocess: p } = report;
  const entries: [string, string][] = [
    ['Lathe', e.lathe],
    ['onnxruntime', `${e.onnxruntime}, ${e.executionProvider}`],
    ['Node.js', e.node],
    ['Machine', `${e.cpu}, ${e.platform}`],
    ['Started', e.startedAt],
    ['Took', format.seconds(e.seconds)],
    ['Seed', String(e.seed)],
    ['Task', report.task],
    [
      'Preprocessing',
      `${p.resize}, ${p.channels}, × ${format.digits(p.scale)}, mean ${p.mean.join(' ')}, std ${p.std.join(' ')}, pad ${p.pad}`,
    ],
    [
      'Data set',
      dataset
        ? `${dataset.id}: ${dataset.images.train} train, ${dataset.images.val} val, ${dataset.images.test} test`
        : 'none',
    ],
    ['Input model', report.input],
    ['Output model', report.output],
  ];
  return html`<h2>Environment</h2><dl>${entries.map(([k, v]) => html`<dt>${k}</dt><dd>${v}</dd>`)}</dl>
<h2>Repeat this job</h2><pre>${report.command}</pre><details><summary>Its spec, every default filled in</summary><pre>${JSON.stringify(report.spec, null, 2)}</pre></details>`;
}

/** @file The first screen: the verdict, and what changed. */

import type { Report } from '../../src/contract/report.ts';
import * as format from './format.ts';
import { html, type Markup } from './markup.ts';

export function verdict(report: Report): Markup {
  const { accept, final } = report;
  const passed = accept.passed;
  const limits = accept.checks.length;
  const line = passed
    ? limits === 0
      ? 'Done. The job states no acceptance limits.'
      : `Accepted: ${limits === 1 ? 'the one limit is met' : `${limits === 2 ? 'both' : `all ${limits}`} limits are met`}.`
    : 'Rejected: the result misses its acceptance limits.';
  const checks = accept.checks.map(
    (c) =>
      html`<li class="${c.passed ? 'good' : 'bad'}">${c.passed ? '✓' : '✗'} <code>${c.limit}</code> ${format.limit(c.limit, c.allowed)}: measured ${c.measured === null ? 'nothing' : format.limit(c.limit, c.measured)}${c.detail ? html` <span class="soft">(${c.detail})</span>` : ''}</li>`,
  );
  const slower =
    final.speedup !== null && final.speedup < 1
      ? html`<p class="warn">The result is slower than the input on this machine: ${format.factor(final.speedup)} the speed.</p>`
      : '';
  return html`<section class="verdict ${passed ? 'pass' : 'rejected'}"><strong class="${passed ? 'good' : 'bad'}">${line}</strong>${checks.length > 0 ? html`<ul>${checks}</ul>` : ''}${slower}</section>`;
}

interface Card {
  readonly name: string;
  readonly now: string;
  readonly was: string;
  readonly change: string;
  readonly tone: 'good' | 'bad' | 'soft';
  /** A second line under the change. */
  readonly beside?: string;
}

/** Bytes, parameters, MACs, the headline metric, agreement, latency: each with its change. */
export function glance(report: Report): Markup {
  const cards = [
    sizeCard(report),
    metricCard(report),
    speedCard(report),
    agreementCard(report),
    ...costCards(report),
  ];
  const shown = cards.filter((c): c is Card => c !== undefined);
  return html`<section class="cards">${shown.map(
    (c) =>
      html`<div class="card"><div class="name">${c.name}</div><div class="now">${c.now}</div><div class="was">was ${c.was}</div><div class="change ${c.tone}">${c.change}</div>${c.beside ? html`<div class="was">${c.beside}</div>` : ''}</div>`,
  )}</section>`;
}

function sizeCard({ baseline, final }: Report): Card {
  return {
    name: 'File size',
    now: format.bytes(final.bytes),
    was: format.bytes(baseline.bytes),
    change:
      final.compression >= 1
        ? `${format.factor(final.compression)} smaller`
        : `${format.factor(1 / final.compression)} larger`,
    tone: final.compression >= 1 ? 'good' : 'bad',
  };
}

function metricCard({ baseline, final, headline }: Report): Card | undefined {
  const [was, now] = [baseline.metrics[headline], final.metrics[headline]];
  if (was === undefined || now === undefined || headline === 'agreement') return undefined;
  return {
    name: `${format.metricName(headline)} (val)`,
    now: format.score(now),
    was: format.score(was),
    change: format.signed(now - was),
    tone: now >= was ? 'good' : was - now > 0.01 ? 'bad' : 'soft',
  };
}

function speedCard({ baseline, stages, final, environment }: Report): Card | undefined {
  const after = stages.at(-1)?.after.latencyMs;
  if (!baseline.latencyMs || !after || final.speedup === null) return undefined;
  const interval = final.speedupInterval;
  return {
    name: `Latency (${environment.latencyThreads} thread${environment.latencyThreads === 1 ? '' : 's'})`,
    now: format.milliseconds(after.median),
    was: format.milliseconds(baseline.latencyMs.median),
    change: `${format.factor(final.speedup)}${final.speedup >= 1 ? ' faster' : ' the speed'}`,
    tone: final.speedup >= 1 ? 'good' : 'bad',
    ...(interval && { beside: `95 %: ${interval.map(format.digits).join(' to ')}` }),
  };
}

function agreementCard({ final }: Report): Card | undefined {
  if (final.agreement === null) return undefined;
  return {
    name: 'Agreement with the input',
    now: format.score(final.agreement),
    was: '1.0000',
    change: `${format.signed(final.agreement - 1)}`,
    tone: final.agreement >= 0.95 ? 'soft' : 'bad',
  };
}

function costCards({ baseline, final }: Report): Card[] {
  const card = (name: string, was: number, now: number): Card => ({
    name,
    now: format.count(now),
    was: format.count(was),
    change:
      was === 0
        ? ''
        : now === was
          ? 'unchanged'
          : `${format.signed((100 * (now - was)) / was, 1)} %`,
    tone: now < was ? 'good' : 'soft',
  });
  return [
    card('Parameters', baseline.params, final.params),
    card('MACs', baseline.macs, final.macs),
  ];
}

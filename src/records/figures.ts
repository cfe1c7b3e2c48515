/** @file Figures of all processes together, counted in Redis in one step with what they tell of; named as Prometheus reads them. */

import type { Redis } from 'ioredis';

import { type JobRecord, TERMINAL } from './job-record.ts';
import type { StoredEvent } from './stored-event.ts';

interface Family {
  readonly type: 'counter' | 'histogram';
  readonly help: string;
}

export const FAMILIES = {
  lathe_jobs_ended_total: { type: 'counter', help: 'Jobs that have ended, by how.' },
  lathe_job_failures_total: { type: 'counter', help: 'Jobs that have failed, by code.' },
  lathe_job_wait_seconds: { type: 'histogram', help: 'From acceptance to the first attempt.' },
  lathe_stage_seconds: { type: 'histogram', help: 'Run and evaluation of a stage, by stage.' },
  lathe_webhook_tries_total: { type: 'counter', help: 'Tries to deliver a webhook, by outcome.' },
} as const satisfies Record<string, Family>;
type FamilyName = keyof typeof FAMILIES;

/** What is added to one series. */
export type Step = readonly [series: string, amount: number];

const BOUNDS = [1, 5, 30, 120, 600, 3600, 21_600, 86_400];

export const figuresKey = (prefix: string) => `${prefix}:figures`;

const series = (name: string, labels: Readonly<Record<string, string>>): string => {
  const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  return text.length === 0 ? name : `${name}{${text.join(',')}}`;
};

export const counted = (name: FamilyName, labels: Readonly<Record<string, string>>): Step => [
  series(name, labels),
  1,
];

/** One observation: every bucket is there from the first one on. */
function observed(
  name: FamilyName,
  labels: Readonly<Record<string, string>>,
  value: number,
): Step[] {
  const buckets = [...BOUNDS, Number.POSITIVE_INFINITY].map((le): Step => {
    const bound = Number.isFinite(le) ? String(le) : '+Inf';
    return [series(`${name}_bucket`, { ...labels, le: bound }), value <= le ? 1 : 0];
  });
  return [...buckets, [series(`${name}_sum`, labels), value], [series(`${name}_count`, labels), 1]];
}

/** What a change of a job adds. */
export function stepsOf(
  before: JobRecord,
  after: JobRecord,
  events: readonly StoredEvent[],
): Step[] {
  const ended = before.status !== after.status && TERMINAL.has(after.status);
  const begun = before.startedAt === null && after.startedAt !== null && !after.cachedFrom;
  return [
    ...(ended ? [counted('lathe_jobs_ended_total', { status: after.status })] : []),
    ...(ended && after.status === 'failed'
      ? [counted('lathe_job_failures_total', { code: after.error?.code ?? 'INTERNAL' })]
      : []),
    ...(begun ? observed('lathe_job_wait_seconds', {}, waited(after)) : []),
    ...events.flatMap(stageSteps),
  ];
}

const waited = ({ createdAt, startedAt }: JobRecord) =>
  Math.max(0, (Date.parse(startedAt!) - Date.parse(createdAt)) / 1000);

function stageSteps(event: StoredEvent): Step[] {
  if (event.type !== 'stage' || event.status !== 'finished' || event.resumed) return [];
  const { seconds } = event.report as { seconds?: number };
  return observed('lathe_stage_seconds', { stage: event.stage }, seconds ?? 0);
}

export async function count(redis: Redis, prefix: string, [name, amount]: Step): Promise<void> {
  await redis.hincrbyfloat(figuresKey(prefix), name, amount);
}

/** All of them, in the text format. */
export async function figuresText(redis: Redis, prefix: string): Promise<string> {
  const found = Object.entries(await redis.hgetall(figuresKey(prefix)));
  return Object.entries(FAMILIES)
    .map(([name, { type, help }]) => {
      const own = found.filter(([key]) => familyOf(key) === name).sort(([a], [b]) => order(a, b));
      const lines = own.map(([key, value]) => `${key} ${value}`);
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n');
    })
    .join('');
}

const familyOf = (key: string) => key.replace(/\{.*$/, '').replace(/_(bucket|sum|count)$/, '');

/** By name and labels, buckets by their bound. */
function order(a: string, b: string): number {
  const [[restA, boundA], [restB, boundB]] = [split(a), split(b)];
  return restA === restB ? boundA - boundB : restA < restB ? -1 : 1;
}

function split(key: string): readonly [rest: string, bound: number] {
  const bound = /le="([^"]+)"/.exec(key)?.[1] ?? '0';
  const value = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound);
  return [key.replace(/,?le="[^"]+"/, ''), value];
}

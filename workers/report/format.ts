/** @file Figures as people read them. */

const SIGNIFICANT = 3;

/** 12.1 MB, MB = 10⁶ bytes. */
export function bytes(n: number): string {
  if (n >= 1e9) return `${digits(n / 1e9)} GB`;
  if (n >= 1e6) return `${digits(n / 1e6)} MB`;
  if (n >= 1e3) return `${digits(n / 1e3)} kB`;
  return `${n} B`;
}

/** 3.01 M, 1.01 G. */
export function count(n: number): string {
  if (n >= 1e9) return `${digits(n / 1e9)} G`;
  if (n >= 1e6) return `${digits(n / 1e6)} M`;
  if (n >= 1e3) return `${digits(n / 1e3)} k`;
  return String(n);
}

export const milliseconds = (ms: number): string => `${digits(ms)} ms`;

export function seconds(s: number): string {
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  return `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`;
}

/** A score of 0…1: four places, since 0.001 is worth knowing. */
export const score = (x: number): string => x.toFixed(4);

/** +0.0012, −0.0034. */
export const signed = (x: number, places = 4): string => {
  const size = Math.abs(x).toFixed(places);
  return Number(size) === 0 ? `±${size}` : `${x < 0 ? '−' : '+'}${size}`;
};

/** Three significant digits. */
export function digits(x: number): string {
  if (x === 0) return '0';
  const places = Math.max(0, SIGNIFICANT - 1 - Math.floor(Math.log10(Math.abs(x))));
  return x.toFixed(Math.min(6, places));
}

/** ×3.39 smaller or larger than before. */
export const factor = (x: number): string => `${digits(x)}×`;

/** A limit of `accept`, or what was measured for it, in the unit that people expect. */
export function limit(name: string, value: number): string {
  if (name === 'maxBytes') return bytes(value);
  if (name === 'maxLatencyMs') return milliseconds(value);
  if (name === 'minSpeedup') return factor(value);
  return value < 0 ? signed(value) : score(value);
}

const METRIC_NAMES: Readonly<Record<string, string>> = {
  map50: 'mAP50',
  map50_95: 'mAP50-95',
  map75: 'mAP75',
  ar100: 'AR100',
  top1: 'top-1',
  top5: 'top-5',
  agreement: 'agreement',
};

export const metricName = (key: string): string => METRIC_NAMES[key] ?? key;

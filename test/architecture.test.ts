/** @file Imports point one way, files stay small, and folders are named for their subject. */

import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

import { expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '..');

/** What a method that trains may import. */
const METHOD = [
  ...['workers/training', 'workers/evaluation', 'workers/tasks', 'workers/data', 'workers/passes'],
  ...['workers/runtime', 'workers/autodiff', 'workers/onnx', 'src/contract'],
];

/**
 * What each folder or file may import besides itself; the longest matching entry holds. `passes` may use `runtime`,
 * because each pass proves itself by running.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  'src/contract': [],
  'src/config.ts': ['src/contract'],
  'src/records': ['src/contract'],
  'src/storage': ['src/contract'],
  'src/queue': ['src/contract', 'src/records', 'src/storage'],
  'src/egress': ['src/contract'],
  'src/secrets': ['src/contract', 'src/records'],
  'src/webhooks': [
    ...['src/contract', 'src/records', 'src/queue', 'src/egress', 'src/secrets'],
    'src/traces',
  ],
  'src/inspection': ['src/contract'],
  'src/logging': [],
  'src/traces': [],
  'src/sweeps': ['src/contract', 'src/records', 'src/queue'],
  'src/intake': ['src/contract', 'src/records', 'src/storage', 'src/inspection'],
  'src/resumable': [
    ...['src/contract', 'src/records', 'src/storage', 'src/inspection', 'src/intake'],
    'src/queue',
  ],
  'src/imports': [
    ...['src/contract', 'src/records', 'src/storage', 'src/inspection', 'src/intake'],
    ...['src/queue', 'src/egress', 'src/secrets'],
  ],
  'src/plugins': ['src/contract', 'src/records', 'src/traces'],
  'src/routes': [
    ...['src/contract', 'src/config.ts', 'src/records', 'src/storage', 'src/queue'],
    ...['src/webhooks', 'src/inspection', 'src/intake', 'src/resumable', 'src/imports'],
    ...['src/plugins', 'src/sweeps', 'src/traces'],
  ],
  src: [],

  'workers/onnx': ['src/contract'],
  'workers/autodiff': ['workers/onnx', 'src/contract'],
  'workers/passes': ['workers/onnx', 'workers/runtime', 'src/contract'],
  'workers/runtime': ['workers/onnx', 'workers/autodiff', 'src/contract'],
  // What a stage is given: names the types of the layers that make it.
  'workers/runtime/context.ts': ['workers/onnx', 'workers/data', 'workers/tasks', 'src/contract'],
  'workers/data': ['workers/runtime', 'workers/onnx', 'src/contract'],
  'workers/tasks': ['workers/data', 'workers/runtime', 'workers/onnx', 'src/contract'],
  'workers/evaluation': [
    ...['workers/tasks', 'workers/data', 'workers/passes', 'workers/runtime', 'workers/onnx'],
    'src/contract',
  ],
  'workers/training': [
    ...['workers/evaluation', 'workers/tasks', 'workers/data', 'workers/passes', 'workers/runtime'],
    ...['workers/autodiff', 'workers/onnx', 'src/contract'],
  ],
  // Learns from the float model as a student does, and is judged as one.
  'workers/quantization/qat': [...METHOD, 'workers/quantization', 'workers/distillation'],
  'workers/quantization': [
    ...['workers/training', 'workers/runtime', 'workers/autodiff', 'workers/onnx'],
    ...['workers/passes', 'src/contract'],
  ],
  'workers/pruning': METHOD,
  'workers/distillation': METHOD,
  'workers/stages': [
    ...['workers/quantization', 'workers/pruning', 'workers/distillation', 'workers/training'],
    ...['workers/passes', 'workers/evaluation', 'workers/tasks', 'workers/data', 'workers/runtime'],
    ...['workers/autodiff', 'workers/onnx', 'src/contract'],
  ],
  'workers/report': ['src/contract'],
  workers: [
    ...['src/contract', 'src/records', 'src/queue', 'src/storage', 'src/config.ts'],
    ...['src/logging', 'src/traces'],
  ],

  sdk: ['src/contract'],
  cli: [
    ...['sdk', 'src/contract', 'src/config.ts', 'src/records', 'src/storage', 'src/server.ts'],
    'workers',
  ],
};

/** Packages that one folder hides from the rest. */
const ONLY_IN: Readonly<Record<string, readonly string[]>> = {
  'onnxruntime-node': ['workers/runtime'],
  bullmq: ['src/queue', 'src/webhooks', 'workers'],
  ioredis: ['src/records', 'src/queue', 'src/webhooks'],
  '@aws-sdk/client-s3': ['src/storage'],
  '@opentelemetry/api': ['src/traces'],
  '@aws-sdk/s3-request-presigner': ['src/storage'],
  '@tus/server': ['src/resumable'],
  '@bufbuild/protobuf': ['workers/onnx'],
};

const CODE = ['src', 'workers', 'cli', 'sdk', 'scripts', 'bench', 'test'];

const files = globSync(`{${CODE.join(',')}}/**/*.{ts,mjs}`, { cwd: ROOT })
  .filter((file) => !file.startsWith('sdk/generate/') && !file.includes('node_modules'))
  .sort();
const product = files.filter((file) => /^(src|workers|cli|sdk)\//.test(file));

test.each(Object.keys(MAY_IMPORT))('%s imports only what lies below it', (layer) => {
  const stray = product
    .filter((file) => layerOf(file) === layer)
    .flatMap((file) =>
      relativeImports(file)
        .filter((target) => ![layer, ...MAY_IMPORT[layer]!].some((from) => within(target, from)))
        .map((target) => `${file} -> ${target}`),
    );
  expect(stray).toEqual([]);
});

test('every folder of the product has its place in the layers', () => {
  expect(product.filter((file) => layerOf(file) === undefined)).toEqual([]);
});

test('imports make no circle between files', () => {
  expect(circles(product)).toEqual([]);
});

test.each(Object.entries(ONLY_IN))('%s is imported only in %s', (name, folders) => {
  const stray = product.filter(
    (file) => packages(file).includes(name) && !folders.some((folder) => within(file, folder)),
  );
  expect(stray).toEqual([]);
});

test('no file is longer than 400 lines', () => {
  const long = files
    .filter((file) => !file.endsWith('.generated.ts') && file !== 'sdk/schema.ts')
    .filter((file) => read(file).split('\n').length > 400);
  expect(long).toEqual([]);
});

test('no file or folder of the product is a drawer for everything', () => {
  const drawer = /(^|\/)(utils?|helpers?|misc|common|shared)(\/|\.ts$)/;
  expect(product.filter((file) => drawer.test(file))).toEqual([]);
});

test('the product speaks of the product only', () => {
  const published = globSync('{*.md,docs/**/*.md,examples/**/*.{md,json,sh,yml,py}}', {
    cwd: ROOT,
  });
  const foreign = /\/work\/|\/root\/|\/tmp\/brief|@ts-ignore|\b(TODO|FIXME|XXX)\b/;
  const found = [...files, ...published]
    .filter((file) => file !== 'test/architecture.test.ts')
    .filter((file) => foreign.test(read(file)));
  expect(found).toEqual([]);
});

function layerOf(file: string): string | undefined {
  return Object.keys(MAY_IMPORT)
    .filter((layer) => within(file, layer))
    .sort((a, b) => b.length - a.length)[0];
}

/** `src` alone stands for its top-level files, which may import all of `src`. */
const within = (path: string, layer: string) => path === layer || path.startsWith(`${layer}/`);

function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

function specifiers(file: string): string[] {
  return [...read(file).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, name]) => name!);
}

function relativeImports(file: string): string[] {
  return specifiers(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(ROOT, resolve(ROOT, dirname(file), name)));
}

/** '@scope/name/deep' → '@scope/name'. */
function packages(file: string): string[] {
  return specifiers(file)
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'));
}

/** Each circle of value imports once, as the files on it. Type imports vanish, so they close none. */
function circles(all: readonly string[]): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    if (at >= 0) found.push(path.slice(at));
    if (at >= 0 || done.has(file)) return;
    for (const target of valueImports(file)) walk(target, [...path, file]);
    done.add(file);
  };
  for (const file of all) walk(file, []);
  return found;
}

function valueImports(file: string): string[] {
  const text = read(file).replace(/(import|export) type [^;]*;/g, '');
  return [...text.matchAll(/from\s*'(\.[^']+)'/g)]
    .map(([, name]) => relative(ROOT, resolve(ROOT, dirname(file), name!)))
    .filter((target) => product.includes(target));
}

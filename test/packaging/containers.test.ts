/** @file What can be said of Dockerfile and compose file without an engine. */

import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly build?: { readonly target: string };
  readonly profiles?: readonly string[];
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly environment?: Readonly<Record<string, string>>;
}

const dockerfile = read('Dockerfile');
const services = parse(read('docker-compose.yml'), { merge: true }).services as Readonly<
  Record<string, Service>
>;
const stages = dockerfile.split(/^FROM /m).slice(1);
/** Stages that become images. */
const images = stages.filter((stage) => /^CMD /m.test(stage));

test('every image runs as an ordinary user, names its health check and its command', () => {
  expect(images).toHaveLength(2);
  for (const image of images) {
    expect(image).toMatch(/^USER [1-9]\d*:[1-9]\d*$/m);
    expect(image).toMatch(/^HEALTHCHECK /m);
  }
});

test('what the images run is in the repository', () => {
  const commands = [
    ...[...dockerfile.matchAll(/"node", "([\w/.]+\.ts)"/g)].map(([, file]) => file!),
    ...Object.values(services).flatMap((s) => s.command ?? []),
    ...Object.values(services).flatMap((s) => s.healthcheck?.test ?? []),
  ].filter((word) => word.endsWith('.ts'));
  expect(commands.length).toBeGreaterThan(4);
  expect(commands.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
});

test('what the images copy exists, and .dockerignore lets it through', () => {
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, files]) =>
    files!.split(' '),
  );
  const ignore = read('.dockerignore').split('\n');
  expect(copied).toContain('src');
  expect(copied.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  expect(copied.filter((file) => !ignore.includes(`!${file}`))).toEqual([]);
});

test('every stage that is built from exists', () => {
  const names = stages.map((stage) => / AS ([\w-]+)/.exec(stage)?.[1]);
  const targets = Object.values(services).flatMap((s) => s.build?.target ?? []);
  expect(new Set(targets)).toEqual(new Set(['lathe', 'worker-cuda']));
  expect(targets.filter((target) => !names.includes(target))).toEqual([]);
  expect(names.at(-1)).toBe('lathe'); // what `docker build .` makes
});

test('our containers cannot write their root file system nor gain privileges', () => {
  for (const service of Object.values(services).filter((s) => s.build)) {
    expect(service).toMatchObject({
      read_only: true,
      init: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    });
    expect(service.volumes).toContain('data:/var/lib/lathe');
  }
  expect(Object.values(services).filter((s) => s.privileged)).toEqual([]);
});

test('only the API is published, and it cannot start without keys', () => {
  const published = Object.entries(services).filter(([, s]) => s.ports !== undefined);
  expect(published.map(([name]) => name)).toEqual(['api']);
  expect(services['api']!.environment!['LATHE_API_KEYS']).toMatch(/^\$\{LATHE_API_KEYS:\?/);
});

test('Redis keeps what it accepted', () => {
  const command = services['redis']!.command!.join(' ');
  expect(command).toContain('--appendonly yes');
  expect(command).toContain('--maxmemory-policy noeviction');
  expect(services['redis']!.volumes).toContain('redis:/data');
});

test('GPU worker and object storage wait behind profiles', () => {
  const profiles = Object.entries(services).map(([name, s]) => [name, s.profiles?.[0]]);
  expect(Object.fromEntries(profiles)).toEqual({
    api: undefined,
    worker: undefined,
    'worker-gpu': 'gpu',
    redis: undefined,
    s3: 's3',
  });
});

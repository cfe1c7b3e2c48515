/** @file Every environment variable of `serve` and `worker`: one table, parsed once, frozen. */

import { resolve } from 'node:path';

import { nearest } from './contract/nearest.ts';
import type { Allowed } from './contract/quota.ts';
import { bytes, flag, integer, oneOf, text, type Variable } from './contract/variable.ts';

const GiB = 2 ** 30;

export interface ApiKey {
  /** The tenant: whose models, data sets and jobs the key opens. */
  readonly name: string;
  readonly key: string;
}

/** `name:key,…`; a name may have several keys, so that one can be replaced without a gap. */
const apiKeys: Variable<readonly ApiKey[]> = {
  description: 'name:key,… Without it the server is for this machine only.',
  fallback: [],
  parse: (value) =>
    value
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '')
      .map((entry) => {
        const [, name, key] = /^([A-Za-z0-9][\w.-]{0,63}):(\S{8,})$/.exec(entry) ?? [];
        if (name === undefined || key === undefined)
          throw new RangeError(
            'name:key pairs, comma-separated: a name of letters, digits, . _ -, and a key of at least 8 characters',
          );
        return { name, key };
      }),
};

/** `name=value,…` */
const labels: Variable<Readonly<Record<string, string>>> = {
  description: 'name=value,… What jobs may ask of a worker by `requires.labels`.',
  fallback: {},
  parse: (value) =>
    Object.fromEntries(
      value.split(',').map((entry) => {
        const [, name, of] = /^\s*([A-Za-z0-9][\w.-]{0,62})=(.{0,100}?)\s*$/.exec(entry) ?? [];
        if (name === undefined || of === undefined)
          throw new RangeError(
            'name=value pairs, comma-separated: names of letters, digits, . _ -',
          );
        return [name, of];
      }),
    ),
};

const redisUrl: Variable<string> = {
  description: 'Where records, queue and events live.',
  fallback: 'redis://127.0.0.1:6379',
  parse(value) {
    const protocol = URL.parse(value)?.protocol ?? '';
    if (!/^(rediss?|unix):$/.test(protocol)) throw new RangeError('a redis:// or rediss:// URL');
    return value;
  },
};

export const VARIABLES = {
  LATHE_ROLE: oneOf(
    ['all', 'api', 'webhooks'],
    'all',
    'What `serve` does: answers and delivers webhooks, or one of the two.',
  ),
  LATHE_HOST: text('127.0.0.1', 'Address to listen on.'),
  LATHE_PORT: integer(8080, [0, 65_535], 'Port to listen on; 0: any free one.'),
  LATHE_DATA_DIR: text('data', 'Folder of uploads and artifacts, shared by API and workers.'),
  LATHE_STORAGE: oneOf(
    ['disk', 's3'],
    'disk',
    'Where files are kept: LATHE_DATA_DIR, or a bucket.',
  ),
  LATHE_S3_BUCKET: text('', 'The bucket, with LATHE_STORAGE=s3.'),
  LATHE_S3_ENDPOINT: text('', 'Address of a storage that speaks S3; without it, AWS.'),
  LATHE_S3_REGION: text('us-east-1', 'Region of the bucket.'),
  LATHE_S3_PUBLIC_ENDPOINT: text(
    '',
    'That storage as clients reach it, for transfers past this server; without it, LATHE_S3_ENDPOINT.',
  ),
  REDIS_URL: redisUrl,
  LATHE_REDIS_PREFIX: text(
    '{lathe}',
    'First part of every Redis key; in braces, so that all lie in one slot of a Redis Cluster.',
  ),
  LATHE_API_KEYS: apiKeys,
  LATHE_OPERATORS: text(
    '',
    'Tenants, comma-separated, whose admin keys may pause workers and set quotas; without it, the only tenant.',
  ),
  LATHE_INSECURE: flag('1: listen on other addresses than loopback without keys.'),
  LATHE_ALLOW_PRIVATE_TARGETS: flag('1: webhooks may go to loopback and private addresses.'),
  LATHE_SECRET_KEY: text(
    '',
    'Seals webhook secrets in Redis; without it, one is made in LATHE_DATA_DIR.',
  ),
  LATHE_PREVIOUS_SECRET_KEYS: text(
    '',
    'Former values of LATHE_SECRET_KEY, comma-separated: what they sealed is opened, and sealed anew.',
  ),
  LATHE_MAX_MODEL_BYTES: bytes(2 * GiB, 1, 'Largest model upload.'),
  LATHE_MAX_DATASET_BYTES: bytes(20 * GiB, 1, 'Largest data set upload.'),
  LATHE_UPLOAD_HOURS: integer(
    48,
    [1, 8760],
    'Hours after its last byte that an unfinished upload is kept.',
  ),
  LATHE_IMPORT_SECONDS: integer(3600, [1, 86_400], 'Longest time that an import may take.'),
  LATHE_IMPORT_BUCKETS: text(
    '',
    'Buckets, comma-separated, each alone or as bucket/prefix, that s3:// imports may read; without it, none.',
  ),
  LATHE_RATE_LIMIT: integer(6000, [1, 1e9], 'Requests per tenant and minute.'),
  LATHE_QUOTA_JOBS_QUEUED: integer(0, [0, 1e9], 'Jobs of a tenant that may wait; 0: no limit.'),
  LATHE_QUOTA_JOBS_RUNNING: integer(
    0,
    [0, 1e9],
    'Jobs of a tenant that may be at work at once; 0: no limit.',
  ),
  LATHE_QUOTA_BYTES_STORED: bytes(
    0,
    0,
    "Bytes that a tenant's models, data sets and artifacts may take; 0: no limit.",
  ),
  LATHE_QUOTA_UPLOAD_BYTES_PER_HOUR: bytes(
    0,
    0,
    'Bytes that a tenant may upload within an hour; 0: no limit.',
  ),
  LATHE_MIN_FREE_BYTES: bytes(256 * 2 ** 20, 0, 'Disk space below which the server is not ready.'),
  LATHE_RETENTION_DAYS: integer(
    30,
    [0, 36_500],
    'Days after which a finished job is forgotten, with its files; 0: never.',
  ),
  LATHE_LOG_LEVEL: oneOf(
    ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'],
    'info',
    'Least level that is logged.',
  ),
  LATHE_TRACES_URL: text(
    '',
    'Where traces are sent by OTLP over HTTP, such as http://collector:4318/v1/traces; without it, nowhere.',
  ),
  LATHE_PROVIDER: oneOf(
    ['auto', 'cpu', 'cuda', 'tensorrt', 'webgpu'],
    'auto',
    'Where a worker computes.',
  ),
  LATHE_LABELS: labels,
  LATHE_CONCURRENCY: integer(1, [1, 256], 'Jobs that a worker runs at once.'),
  LATHE_JOB_SECONDS: integer(86_400, [1, 1e9], 'Longest run of a job.'),
  LATHE_JOB_SILENCE_SECONDS: integer(600, [1, 1e9], 'Longest time without a word from a job.'),
  LATHE_JOB_TRIAL_SECONDS: integer(60, [1, 1e9], 'Longest first inference of a model.'),
  LATHE_JOB_MEMORY: bytes(
    0,
    0,
    "Most memory of a job's processes; 0: three quarters of the machine's or container's, shared by the jobs at a time.",
  ),
  LATHE_JOB_FILE_BYTES: bytes(16 * GiB, 1, 'Largest file that a job may write.'),
  LATHE_THREADS: integer(0, [0, 1024], 'Threads of each job; 0: the cores, shared by the jobs.'),
  LATHE_WORK_DIR: text('', 'Folder where jobs work; without it, one in the temporary folder.'),
  LATHE_LOCK_SECONDS: integer(60, [1, 86_400], 'A worker silent for so long has lost its job.'),
  LATHE_GRACE_SECONDS: integer(3, [0, 3600], 'Between asking a job to end and killing it.'),
} as const satisfies Record<string, Variable<unknown>>;

/** Read elsewhere: by the CLI as a client, and by the tests. */
const KNOWN_ELSEWHERE = [
  ...['LATHE_URL', 'LATHE_API_KEY'],
  ...['LATHE_TEST_DATA', 'LATHE_TEST_REDIS_URL', 'LATHE_TEST_COUNTS'],
];

type Name = keyof typeof VARIABLES;
type Values = { readonly [N in Name]: ReturnType<(typeof VARIABLES)[N]['parse']> };

export interface Config {
  readonly role: Values['LATHE_ROLE'];
  readonly host: string;
  readonly port: number;
  readonly dataDir: string;
  readonly storage: Values['LATHE_STORAGE'];
  readonly s3: {
    readonly bucket: string;
    readonly endpoint: string;
    readonly region: string;
    readonly publicEndpoint: string;
  };
  readonly redisUrl: string;
  readonly redisPrefix: string;
  readonly apiKeys: readonly ApiKey[];
  /** Tenants that may do what concerns all of them. */
  readonly operators: readonly string[];
  readonly insecure: boolean;
  readonly allowPrivateTargets: boolean;
  readonly secretKey: string;
  readonly previousSecretKeys: readonly string[];
  readonly maxModelBytes: number;
  readonly maxDatasetBytes: number;
  readonly uploadHours: number;
  readonly importSeconds: number;
  /** `bucket` or `bucket/prefix`. */
  readonly importBuckets: readonly string[];
  readonly rateLimit: number;
  /** What holds for tenants for whom nothing else was set. */
  readonly quotas: Allowed;
  readonly minFreeBytes: number;
  /** 0: for ever. */
  readonly retentionDays: number;
  readonly logLevel: Values['LATHE_LOG_LEVEL'];
  /** Empty: nowhere. */
  readonly tracesUrl: string;
  readonly provider: Values['LATHE_PROVIDER'];
  /** Of this worker. */
  readonly labels: Readonly<Record<string, string>>;
  readonly concurrency: number;
  /** 0: as many as the worker finds right. */
  readonly threads: number;
  /** Empty: a folder in the temporary folder. */
  readonly workDir: string;
  readonly lockSeconds: number;
  readonly graceSeconds: number;
  readonly job: {
    readonly seconds: number;
    readonly silenceSeconds: number;
    readonly trialSeconds: number;
    /** In bytes; 0: as much as the worker finds right. */
    readonly memory: number;
    readonly fileBytes: number;
  };
  /** Variables that look like ours and are not. */
  readonly warnings: readonly string[];
}

/** The environment is wrong: the message names each variable, what it holds and what is valid. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** @throws ConfigError */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const values = parseAll(env);
  const config: Config = {
    role: values.LATHE_ROLE,
    host: values.LATHE_HOST,
    port: values.LATHE_PORT,
    dataDir: resolve(values.LATHE_DATA_DIR),
    storage: values.LATHE_STORAGE,
    s3: Object.freeze({
      bucket: values.LATHE_S3_BUCKET,
      endpoint: values.LATHE_S3_ENDPOINT,
      region: values.LATHE_S3_REGION,
      publicEndpoint: values.LATHE_S3_PUBLIC_ENDPOINT,
    }),
    redisUrl: values.REDIS_URL,
    redisPrefix: values.LATHE_REDIS_PREFIX,
    apiKeys: values.LATHE_API_KEYS,
    operators: operatorsOf(values),
    insecure: values.LATHE_INSECURE,
    allowPrivateTargets: values.LATHE_ALLOW_PRIVATE_TARGETS,
    secretKey: values.LATHE_SECRET_KEY,
    previousSecretKeys: listed(values.LATHE_PREVIOUS_SECRET_KEYS),
    maxModelBytes: values.LATHE_MAX_MODEL_BYTES,
    maxDatasetBytes: values.LATHE_MAX_DATASET_BYTES,
    uploadHours: values.LATHE_UPLOAD_HOURS,
    importSeconds: values.LATHE_IMPORT_SECONDS,
    importBuckets: listed(values.LATHE_IMPORT_BUCKETS),
    rateLimit: values.LATHE_RATE_LIMIT,
    quotas: Object.freeze({
      jobsQueued: values.LATHE_QUOTA_JOBS_QUEUED,
      jobsRunning: values.LATHE_QUOTA_JOBS_RUNNING,
      bytesStored: values.LATHE_QUOTA_BYTES_STORED,
      uploadBytesPerHour: values.LATHE_QUOTA_UPLOAD_BYTES_PER_HOUR,
    }),
    minFreeBytes: values.LATHE_MIN_FREE_BYTES,
    retentionDays: values.LATHE_RETENTION_DAYS,
    logLevel: values.LATHE_LOG_LEVEL,
    tracesUrl: values.LATHE_TRACES_URL,
    provider: values.LATHE_PROVIDER,
    labels: values.LATHE_LABELS,
    concurrency: values.LATHE_CONCURRENCY,
    threads: values.LATHE_THREADS,
    workDir: values.LATHE_WORK_DIR,
    lockSeconds: values.LATHE_LOCK_SECONDS,
    graceSeconds: values.LATHE_GRACE_SECONDS,
    job: Object.freeze({
      seconds: values.LATHE_JOB_SECONDS,
      silenceSeconds: values.LATHE_JOB_SILENCE_SECONDS,
      trialSeconds: values.LATHE_JOB_TRIAL_SECONDS,
      memory: values.LATHE_JOB_MEMORY,
      fileBytes: values.LATHE_JOB_FILE_BYTES,
    }),
    warnings: strangers(env),
  };
  return Object.freeze(config);
}

const listed = (text: string): readonly string[] =>
  text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');

/** Those that are named; where nobody is and there is one tenant only, that one. */
function operatorsOf({ LATHE_OPERATORS, LATHE_API_KEYS }: Values): readonly string[] {
  const given = listed(LATHE_OPERATORS);
  const tenants = [...new Set(LATHE_API_KEYS.map(({ name }) => name))];
  return given.length === 0 && tenants.length === 1 ? tenants : given;
}

function parseAll(env: Readonly<Record<string, string | undefined>>): Values {
  const wrong: string[] = [];
  const entries = Object.entries(VARIABLES).map(([name, variable]) => {
    const given = env[name]?.trim() ?? '';
    if (given === '') return [name, variable.fallback];
    try {
      return [name, variable.parse(given)];
    } catch (error) {
      const shown = name === 'LATHE_API_KEYS' ? 'not valid' : `'${given}'`;
      wrong.push(`${name} is ${shown}; valid: ${(error as Error).message}`);
      return [name, variable.fallback];
    }
  });
  if (env['LATHE_STORAGE'] === 's3' && !env['LATHE_S3_BUCKET'])
    wrong.push('LATHE_S3_BUCKET is not set; LATHE_STORAGE=s3 needs the name of a bucket');
  if (wrong.length > 0) throw new ConfigError(`${wrong.join('.\n')}.`);
  return Object.fromEntries(entries) as Values;
}

function strangers(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...Object.keys(VARIABLES), ...KNOWN_ELSEWHERE];
  return Object.keys(env)
    .filter((name) => name.startsWith('LATHE_') && !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      return `${name} is not a setting of Lathe${near ? `: did you mean ${near}?` : '.'}`;
    });
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/;

export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/**
 * Without keys the server is for this machine only.
 *
 * @throws ConfigError
 */
export function checkExposure({ host, apiKeys: keys, insecure }: Config): void {
  if (keys.length > 0 || insecure || isLoopback(host)) return;
  throw new ConfigError(
    `LATHE_HOST is '${host}' and there are no keys: anybody who reaches this address could use the server. Set LATHE_API_KEYS=name:key, or listen on 127.0.0.1, or set LATHE_INSECURE=1 if something in front of it asks for credentials.`,
  );
}

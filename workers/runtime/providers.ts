/** @file Which execution provider computes: the one asked for, or the best that agrees with the CPU. */

import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ServiceError } from '../../src/contract/errors.ts';

/** Values of LATHE_PROVIDER; after `auto`, in order of preference. */
export const PROVIDERS = ['auto', 'tensorrt', 'cuda', 'webgpu', 'cpu'] as const;

export type ProviderChoice = (typeof PROVIDERS)[number];
export type Provider = Exclude<ProviderChoice, 'auto'>;

/** A probe compiles a few kernels; TensorRT takes its time. */
const PROBE_MS = 60_000;

export interface Probed {
  readonly provider: Provider;
  readonly ok: boolean;
  readonly code?: 'PROVIDER_UNAVAILABLE' | 'PROVIDER_WRONG';
  readonly why?: string;
}

/**
 * Run the probe graphs on a provider and on the CPU in a child process, and compare. Never throws: a crash, a hang or wrong
 * numbers of a provider are an answer.
 */
export async function probeProvider(provider: Provider): Promise<Probed> {
  if (provider === 'cpu') return { provider, ok: true };
  const { code, signal, output } = await runProbe(provider);
  const last = output.trim().split('\n').at(-1) ?? '';
  try {
    return { provider, ...(JSON.parse(last) as Omit<Probed, 'provider'>) };
  } catch {
    const why = signal
      ? `its probe was stopped by ${signal}`
      : `its probe ended with code ${code} and said nothing`;
    return { provider, ok: false, code: 'PROVIDER_UNAVAILABLE', why };
  }
}

function runProbe(
  provider: Provider,
): Promise<{ code: number | null; signal: string | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'provider-probe.ts'), provider],
      { stdio: ['ignore', 'pipe', 'ignore'], timeout: PROBE_MS, killSignal: 'SIGKILL' },
    );
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', () => resolve({ code: null, signal: null, output }));
    child.on('close', (code, signal) => resolve({ code, signal, output }));
  });
}

/** Providers that come as a library of their own, which need not be installed. */
const LIBRARIES: Readonly<Partial<Record<Provider, string>>> = {
  tensorrt: 'onnxruntime_providers_tensorrt',
  cuda: 'onnxruntime_providers_cuda',
};

/** Providers worth a probe: those whose libraries are installed, best first. */
function candidates(): Provider[] {
  const root = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
  const files = readdirSync(join(root, 'bin'), { recursive: true, encoding: 'utf8' });
  const installed = (library: string) => files.some((file) => file.includes(library));
  return PROVIDERS.filter((p) => p !== 'auto').filter(
    (p) => LIBRARIES[p] === undefined || installed(LIBRARIES[p]),
  );
}

/**
 * @param asked value of LATHE_PROVIDER
 * @returns the provider asked for; `auto`: the first of tensorrt, cuda, webgpu, cpu that passes its probe
 * @throws PROVIDER_UNKNOWN no such provider
 * @throws PROVIDER_UNAVAILABLE · PROVIDER_WRONG the one asked for does not run here, or computes something else
 */
export async function chooseProvider(asked: string): Promise<Provider> {
  if (!(PROVIDERS as readonly string[]).includes(asked))
    throw new ServiceError('PROVIDER_UNKNOWN', { asked, valid: PROVIDERS.join(', ') });
  let last: Probed | undefined;
  for (const provider of asked === 'auto' ? candidates() : [asked as Provider]) {
    last = await probeProvider(provider);
    if (last.ok) return provider;
  }
  throw new ServiceError(last!.code ?? 'PROVIDER_UNAVAILABLE', {
    provider: last!.provider,
    why: last!.why ?? 'it gave no reason',
  });
}

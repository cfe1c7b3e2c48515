export interface PrivateRedis {
  readonly url: string;
  readonly port: number;
  /** Its working folder; removed by `stop` unless the caller chose it. */
  readonly dir: string;
  /** Process id of the server itself, for tests that kill it. */
  readonly pid: number;
  stop(): Promise<void>;
}

export function startRedis(options?: { port?: number; dir?: string }): Promise<PrivateRedis>;
export function findRedis(): Promise<{ path: string; env: Record<string, string> }>;

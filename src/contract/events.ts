/** @file What a running job says, line by line: child process → supervisor → record → SSE and the CLI. */

/** One JSON object per line on the child's event pipe. `at` (ISO 8601) is added by whoever stores it. */
export type JobEvent =
  | {
      readonly type: 'stage';
      readonly index: number;
      readonly stage: string;
      readonly status: 'running';
    }
  | {
      readonly type: 'stage';
      readonly index: number;
      readonly stage: string;
      readonly status: 'finished';
      /** True where an earlier attempt or the cache had the result. */
      readonly resumed: boolean;
      readonly input: string;
      readonly output: string;
      /** The stage's entry of report.json: metrics, bytes, latency, details. */
      readonly report: Record<string, unknown>;
    }
  | {
      readonly type: 'progress';
      /** Of the whole job, 0…1, never falling. */
      readonly progress: number;
      /** Index of the stage at work; null: before the first or after the last. */
      readonly index: number | null;
      /** Of that stage, 0…1. */
      readonly stageProgress: number;
      readonly doing: string;
      readonly estimatedSecondsLeft: number | null;
    }
  | { readonly type: 'metric'; readonly [name: string]: string | number | boolean | null }
  | { readonly type: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly message: string }
  | { readonly type: 'done'; readonly outcome: 'pass' | 'rejected' }
  | {
      readonly type: 'failed';
      readonly code: string;
      readonly detail: string;
      readonly stage: string | null;
      readonly retryable: boolean;
    };

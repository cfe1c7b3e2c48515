/** @file One line of `lathe doctor`. */

export interface Finding {
  readonly name: string;
  /** bad: Lathe will not work; warn: it works, but something is worth knowing. */
  readonly state: 'good' | 'warn' | 'bad';
  readonly detail: string;
}

export type Check = (env: NodeJS.ProcessEnv) => Promise<Finding>;

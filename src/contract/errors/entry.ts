/** One named failure: its HTTP status, whether the queue may try again, and its message. */
export interface ErrorEntry {
  /** HTTP status when a request causes it. */
  readonly status: number;
  /** Whether the same work may succeed when tried again. */
  readonly retry: boolean;
  readonly message: (facts: never) => string;
}

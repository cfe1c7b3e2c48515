/** @file The labels of one batch, in the form that losses read. */

/** B images, G the largest number of boxes of one of them (at least 1). */
export type Labels =
  | {
      readonly kind: 'boxes';
      /** [B, G, 4]: x1 y1 x2 y2 in pixels of the model's input. */
      readonly boxes: Float32Array<ArrayBuffer>;
      /** [B, G]; −1 is padding. */
      readonly classes: BigInt64Array<ArrayBuffer>;
      readonly most: number;
    }
  | {
      readonly kind: 'classes';
      /** [B, classes]; rows sum to 1: one-hot, or mixed. */
      readonly targets: Float32Array<ArrayBuffer>;
    }
  | {
      readonly kind: 'tensors';
      /** What each value that the loss reads is to become, by its name. */
      readonly targets: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
    }
  | { readonly kind: 'none' };

/** @file What compensation is given and what it tells. */

import type { Node } from '../../onnx/graph.ts';
import type { Layer } from './layer.ts';
import type { Positions } from './positions.ts';

/** A layer of the pruned network, and the one that it was. */
export interface LayerPair {
  readonly original: Node;
  readonly pruned: Node;
  /** For each output channel of the pruned layer, its number in the original. */
  readonly keptOutputs: readonly number[];
  /** The same of its input channels; undefined where it is not known. */
  readonly keptInputs?: readonly number[] | undefined;
}

export interface CompensateOptions {
  /** Calibration images that `feeds` gives. */
  readonly images: number;
  /** Images among them, evenly spread, on which ridges are chosen. */
  readonly heldOut: number;
  /** Output positions per layer, over all images. */
  readonly patches: number;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** Bytes for values that are kept between layers; default 512 MiB. */
  readonly memory?: number;
  readonly seed?: number;
  /** Which output positions are looked at; default: each with the same chance. */
  readonly positions?: Positions;
  /** @param done 0…1 */
  progress(done: number, doing: string): void;
}

export interface CompensatedLayer {
  readonly name: string;
  /** Squared error of the layer's outputs on held-out images, as a share of their energy. */
  readonly before: number;
  readonly after: number;
  /** As a share of the mean diagonal of X·Xᵀ; null: no ridge helped, the weights stayed. */
  readonly ridge: number | null;
}

/** A layer in both networks' canonical graphs. */
export interface MatchedLayer {
  readonly name: string;
  readonly original: Layer;
  readonly pruned: Layer;
  readonly kept: readonly number[];
  readonly keptInputs: readonly number[] | undefined;
}

/** @file A network run piece by piece over the same images: what later pieces need of earlier ones is kept, within bounds. */

import { GraphBuilder } from '../../onnx/builder.ts';
import type { Graph, Model, Node, Value } from '../../onnx/graph.ts';
import { shapeOf, sizeOf } from '../../onnx/static-shapes.ts';
import { type Feed, openSession } from '../../runtime/session.ts';
import { planSteps, type Step, takenBy } from './plan.ts';

export type Feeds = Readonly<Record<string, Feed>>;

export interface ReplayOptions {
  readonly images: number;
  /** Bytes that values kept for later steps may take, over all images. */
  readonly memory: number;
  readonly threads: number;
}

/** One step, opened: runs on each image in turn. */
export interface Piece {
  /**
   * @param inputs the graph's inputs, where `needsImages` says so
   * @param feeds what inputs take that `write` added
   * @returns the extra outputs, by name
   */
  run(
    image: number,
    inputs: Feeds | undefined,
    feeds: Feeds,
  ): Promise<Readonly<Record<string, Feed>>>;
  close(): Promise<void>;
}

/**
 * Runs the steps of a plan in order. After a step it keeps, for every image, the values that later steps take in; where those are too
 * large it keeps what it had, and later steps compute more of the graph again. So memory does not grow with the number of images.
 */
export class Replay {
  readonly #model: Model;
  readonly #options: ReplayOptions;
  readonly #steps: readonly Step[];
  /** Per image, the kept values by name; undefined: steps start from the graph's inputs. */
  #kept: Map<string, Feed>[] | undefined;
  #keptValues: readonly Value[] = [];
  /** Nodes of earlier steps that lie behind what is kept. */
  #again: Node[] = [];

  /** @param model canonical; weights of nodes that no step has run yet may still change */
  constructor(model: Model, targets: readonly (readonly Value[])[], options: ReplayOptions) {
    this.#model = model;
    this.#options = options;
    this.#steps = planSteps(model.graph, targets);
  }

  /** Whether the next piece has to be given the images themselves. */
  get needsImages(): boolean {
    return this.#kept === undefined;
  }

  /**
   * Open one step.
   *
   * @param write makes further outputs of the step's targets; may add inputs
   */
  async open(index: number, write: (g: GraphBuilder) => readonly Value[]): Promise<Piece> {
    const step = this.#steps[index]!;
    const nodes = [...this.#again, ...step.nodes];
    const keep = this.#affordable(step.frontier) ? step.frontier : undefined;
    const graph = this.#segment(nodes, step);
    const extra = write(new GraphBuilder(graph));
    const made = new Set(nodes.flatMap((n) => n.outputs));
    graph.outputs = [...new Set([...extra, ...(keep ?? []).filter((v) => made.has(v))])];
    const { threads } = this.#options;
    const session =
      graph.outputs.length === 0
        ? undefined
        : await openSession({ ...this.#model, graph, functions: [] }, { threads });
    const next: Map<string, Feed>[] = [];
    return {
      run: async (image, inputs, feeds) => {
        const known = this.#kept?.[image] ?? new Map(Object.entries(inputs ?? {}));
        const taken = graph.inputs.flatMap((v) => {
          const feed = known.get(v.name) ?? feeds[v.name];
          return feed ? [[v.name, feed] as const] : [];
        });
        const results = session ? await session.run(Object.fromEntries(taken)) : {};
        if (keep) {
          next[image] = new Map(keep.map((v) => [v.name, results[v.name] ?? known.get(v.name)!]));
          this.#kept?.[image]?.clear();
        }
        return results;
      },
      close: async () => {
        await session?.release();
        if (keep) [this.#kept, this.#keptValues, this.#again] = [next, keep, []];
        else this.#again = nodes;
      },
    };
  }

  #affordable(values: readonly Value[]): boolean {
    const bytes = values.reduce((n, v) => n + 4 * sizeOf(shapeOf(v)), 0);
    return bytes * this.#options.images <= this.#options.memory;
  }

  /** The nodes between what is kept and the step's targets, as a graph of its own that shares their values. */
  #segment(nodes: readonly Node[], step: Step): Graph {
    const { graph } = this.#model;
    const used = new Set([...nodes.flatMap(takenBy), ...step.targets]);
    const made = new Set(nodes.flatMap((n) => n.outputs));
    const from = this.#kept ? this.#keptValues : graph.inputs.filter((v) => !v.constant);
    return {
      name: graph.name,
      inputs: from.filter((v) => used.has(v) && !made.has(v)),
      outputs: [],
      nodes: [...nodes],
      initializers: graph.initializers.filter((v) => used.has(v)),
    };
  }
}

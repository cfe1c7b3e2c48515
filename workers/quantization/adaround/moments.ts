/** @file Second moments of what a layer sees: all that the best rounding of its weights depends on. */

import { GraphBuilder } from '../../onnx/builder.ts';
import { emptyModel, type Model, Value } from '../../onnx/graph.ts';
import type { Random } from '../../runtime/random.ts';
import { type Feed, freeResults, openSession, type Session } from '../../runtime/session.ts';
import type { RowView } from './row-view.ts';

/** Positions drawn from one image. */
const POSITIONS = 256;

/** Σ x xᵀ over positions, of each group of one layer. Memory: groups · taps² numbers, whatever the number of images. */
export class Moments {
  /** [groups, taps, taps]. */
  readonly second: Float32Array;
  positions = 0;

  constructor({ groups, taps }: RowView) {
    this.second = new Float32Array(groups * taps * taps);
  }

  static bytes({ groups, taps }: RowView): number {
    return 4 * groups * taps * taps;
  }
}

/** Measures moments of one layer at positions drawn from images. */
export class MomentMeter {
  readonly #view: RowView;
  readonly #session: Session;
  readonly #random: Random;

  private constructor(view: RowView, session: Session, random: Random) {
    this.#view = view;
    this.#session = session;
    this.#random = random;
  }

  static async open(view: RowView, random: Random, threads: number): Promise<MomentMeter> {
    return new MomentMeter(view, await openSession(momentGraph(view), { threads }), random);
  }

  /** @param x what the layer sees of one image @param yDims the shape of what it answers */
  async add(to: Moments, x: Feed, yDims: readonly number[]): Promise<void> {
    const { groups, taps } = this.#view;
    const dims = { x: x.dims, y: yDims };
    const seen = new Float32Array(groups * POSITIONS * taps);
    const count = this.#view.positions(yDims);
    for (let n = 0; n < POSITIONS; n++) {
      const p = this.#random.below(count);
      for (let g = 0; g < groups; g++)
        this.#view.patch(x.data as Float32Array, dims, p, g, seen, (g * POSITIONS + n) * taps);
    }
    const results = await this.#session.run({ x: { dims: [groups, POSITIONS, taps], data: seen } });
    const more = results['second']!.data as Float32Array;
    for (let i = 0; i < more.length; i++) to.second[i]! += more[i]!;
    to.positions += POSITIONS;
    freeResults(results);
  }

  release = (): Promise<void> => this.#session.release();
}

function momentGraph({ groups, taps }: RowView): Model {
  const model = emptyModel(10, 21);
  const g = new GraphBuilder(model.graph);
  const shape = [groups, POSITIONS, taps];
  const x = new Value('x', { kind: 'tensor', dtype: 'float32', shape });
  model.graph.inputs = [x];
  const second = g.matmul(g.swap(x), x);
  second.name = 'second';
  model.graph.outputs = [second];
  return model;
}

/** @file Second moments of what a layer sees, and of how far the layers before it are off: all that its rounding depends on. */

import { GraphBuilder } from '../../onnx/builder.ts';
import { emptyModel, type Model, Value } from '../../onnx/graph.ts';
import type { Random } from '../../runtime/random.ts';
import { type Feed, freeResults, openSession, type Session } from '../../runtime/session.ts';
import type { RowView } from './row-view.ts';

/** Positions drawn from one image. */
const POSITIONS = 256;

/** Sums over positions, of one layer. Memory: groups · (taps² + rows · taps) numbers, whatever the number of images. */
export class Moments {
  /** Σ x xᵀ, [groups, taps, taps]. */
  readonly second: Float32Array;
  /** Σ r xᵀ, [groups, rows, taps]: r is what rounding shall make up for, y − b − W x. */
  readonly cross: Float32Array;
  /** Σ r², [groups · rows]. */
  readonly rest: Float32Array;
  positions = 0;

  constructor({ groups, rows, taps }: RowView) {
    this.second = new Float32Array(groups * taps * taps);
    this.cross = new Float32Array(groups * rows * taps);
    this.rest = new Float32Array(groups * rows);
  }

  static bytes({ groups, rows, taps }: RowView): number {
    return 4 * groups * (taps + rows) * taps;
  }
}

const SUMS = ['second', 'cross', 'rest'] as const;

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

  /** @param weight [groups, rows, taps], in the view's order @param bias [groups · rows] */
  static async open(
    view: RowView,
    weight: Float32Array,
    bias: Float32Array,
    random: Random,
    threads: number,
  ): Promise<MomentMeter> {
    const session = await openSession(momentGraph(view, weight, bias), { threads });
    return new MomentMeter(view, session, random);
  }

  /** @param x what the quantized model gives the layer @param y what the float model's layer answers, without rounding */
  async add(to: Moments, x: Feed, y: Feed): Promise<void> {
    const { groups, rows, taps } = this.#view;
    const dims = { x: x.dims, y: y.dims };
    const seen = new Float32Array(groups * POSITIONS * taps);
    const answers = new Float32Array(groups * POSITIONS * rows);
    const count = this.#view.positions(y.dims);
    for (let n = 0; n < POSITIONS; n++) {
      const p = this.#random.below(count);
      for (let g = 0; g < groups; g++) {
        const row = g * POSITIONS + n;
        this.#view.patch(x.data as Float32Array, dims, p, g, seen, row * taps);
        this.#view.outputs(y.data as Float32Array, y.dims, p, g, answers, row * rows);
      }
    }
    const sums = await this.#session.run({
      x: { dims: [groups, POSITIONS, taps], data: seen },
      y: { dims: [groups, POSITIONS, rows], data: answers },
    });
    for (const name of SUMS) {
      const [sum, more] = [to[name], sums[name]!.data as Float32Array];
      for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
    }
    to.positions += POSITIONS;
    freeResults(sums);
  }

  release = (): Promise<void> => this.#session.release();
}

function momentGraph(
  { groups, rows, taps }: RowView,
  weight: Float32Array,
  bias: Float32Array,
): Model {
  const model = emptyModel(10, 21);
  const g = new GraphBuilder(model.graph);
  const [x, y] = [
    ['x', taps],
    ['y', rows],
  ].map(([name, width]) => {
    const shape = [groups, POSITIONS, width as number];
    return new Value(name as string, { kind: 'tensor', dtype: 'float32', shape });
  }) as [Value, Value];
  model.graph.inputs = [x, y];
  const w = g.floats([groups, taps, rows], swapped(weight, rows, taps), x);
  const r = g.sub(g.sub(y, g.matmul(x, w)), g.floats([groups, 1, rows], bias, x));
  const sums = {
    second: g.matmul(g.swap(x), x),
    cross: g.matmul(g.swap(r), x),
    rest: g.reduce('ReduceSum', g.mul(r, r), [1], false),
  };
  for (const name of SUMS) sums[name].name = name;
  model.graph.outputs = SUMS.map((name) => sums[name]);
  return model;
}

/** [groups, rows, taps] to [groups, taps, rows]. */
function swapped(weight: Float32Array, rows: number, taps: number): Float32Array {
  const area = rows * taps;
  return weight.map((_, i) => {
    const g = Math.floor(i / area);
    return weight[g * area + (i % rows) * taps + Math.floor((i % area) / rows)]!;
  });
}

import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { readModel } from '../../../workers/onnx/read.ts';
import { setInputShape } from '../../../workers/passes/input-shape.ts';
import { simplify } from '../../../workers/passes/simplify.ts';
import { NO_SHARED_DATA, sharedData, type ZooEntry } from '../../helpers/shared-data.ts';
import { filledZooModel } from '../../helpers/zoo.ts';
import { differenceOf, expectSimplified } from './zoo-simplify.ts';

const shared = sharedData();
if (!shared) test.skip(`zoo: ${NO_SHARED_DATA}`, () => {});
const small = (shared?.zoo() ?? []).filter((m) => m.raw_bytes <= 50e6);

test.skipIf(!shared).for(small.map((m) => [m.name, m] as const))(
  'zoo %s: computes the same in no more nodes and bytes',
  async ([, entry]) => {
    await expectSimplified(entry);
  },
);

interface Source {
  readonly library: string;
  readonly cls: string;
  readonly opset: number;
  readonly simplify?: boolean;
  readonly dynamic?: boolean;
}
const sourceOf = (entry: ZooEntry) => entry['source'] as Source;
const twinKey = (entry: ZooEntry) => {
  const { library, cls, opset } = sourceOf(entry);
  return `${library} ${cls} ${opset} ${entry.inputs[0]!.run_shape}`;
};
/** Entries that were exported with open axes or without the exporter's own simplifier, and the plain export of the same network. */
const twins = small
  .filter((m) => sourceOf(m).simplify === false || sourceOf(m).dynamic)
  .flatMap((m) => {
    const plain = small.find(
      (o) =>
        twinKey(o) === twinKey(m) && sourceOf(o).simplify === true && sourceOf(o).dynamic === false,
    );
    return plain ? [[m.name, plain.name, m, plain] as const] : [];
  });

test.skipIf(!shared).for(twins)(
  'zoo %s, its shape fixed: as few nodes as %s, within 3 %%',
  async ([, , entry, plain]) => {
    const fixed = await setInputShape(filledZooModel(entry), entry.inputs[0]!.run_shape);

    const { nodes } = await simplify(fixed.model, { threads: 2, mayGrow: true });

    const { nodes: best } = await simplify(filledZooModel(plain), { threads: 2 });
    expect(nodes.after).toBeLessThanOrEqual(best.after * 1.03);
  },
);

/** Twins that were filled with the same weights too: the manifest states equal outputs. */
const firstOutput = (entry: ZooEntry) =>
  JSON.stringify((entry['check'] as { first: number[] }[])[0]!.first.map((x) => x.toPrecision(3)));
const openTwins = twins
  .filter(([, , m]) => typeof m.inputs[0]!.shape[2] === 'string')
  .filter(([, , m, plain]) => firstOutput(m) === firstOutput(plain));

/** Half as high again, three quarters as wide, in whole strides. */
const otherSize = ([n, c, h, w]: readonly number[]) => [n!, c!, h! + 96, w! - 64];

test.skipIf(!shared).for(openTwins)(
  'zoo %s and %s, one with open axes and one resized, are the same at a size of neither',
  async ([, , entry, plain]) => {
    const size = otherSize(plain.inputs[0]!.run_shape);

    const open = await setInputShape(filledZooModel(entry), size);
    const resized = await setInputShape(filledZooModel(plain), size);

    expect(resized.constants.length).toBeGreaterThan(0);
    expect(await differenceOf(open.model, resized.model)).toBeLessThan(1e-5);
  },
);

/** The same network in files of two sizes: one folder, one data set. */
const pairs = (shared?.models ?? []).flatMap((small) =>
  (shared?.models ?? [])
    .filter((m) => m.float && small.float && m.size > small.size)
    .filter(
      (m) => m.file.replace(String(m.size), '') === small.file.replace(String(small.size), ''),
    )
    .map((large) => [large.file, small.file, large, small] as const),
);

test.skipIf(!shared).for(pairs)('%s resized is %s', async ([, , large, small]) => {
  const other = readModel(readFileSync(small.path));
  const shape = [1, 3, small.size, small.size];

  const resized = await setInputShape(readModel(readFileSync(large.path)), shape);

  // Weights of the two files are equal up to how they were recovered; grids exactly.
  expect(await differenceOf(other, resized.model)).toBeLessThan(0.02);
  for (const { constant, what } of resized.constants.filter((c) => c.what.startsWith('values'))) {
    const find = (model: typeof other) =>
      model.graph.initializers.find((v) => v.name === constant)?.constant?.bytes.join();
    const [mine, theirs] = [find(resized.model), find(other)];
    if (theirs) expect(mine === theirs, `${constant}: ${what}`).toBe(true);
  }
});

/** Quantized files: folded where nothing is lost, never made float. */
const quantized = (shared?.models ?? []).filter((m) => !m.float);

test.skipIf(!shared).for(quantized.map((m) => [m.file, m] as const))(
  '%s stays quantized',
  async ([, entry]) => {
    const model = readModel(readFileSync(entry.path));

    const { model: after, bytes, rolledBack } = await simplify(model, { threads: 2 });

    const integer = (m: typeof model) =>
      m.graph.nodes.filter((n) => /Quant|QLinear|Integer/.test(n.op)).map((n) => n.op);
    expect(rolledBack).toEqual([]);
    expect(bytes.after).toBeLessThanOrEqual(bytes.before);
    expect(new Set(integer(after))).toEqual(new Set(integer(model)));
  },
);

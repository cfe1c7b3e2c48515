import { expect, test } from 'vitest';

import { openDataset } from '../../../workers/data/open.ts';
import { agreement } from '../../../workers/evaluation/agreement.ts';
import { evaluate } from '../../../workers/evaluation/evaluate.ts';
import { findBrokenScores } from '../../../workers/evaluation/output-watch.ts';
import { outputSqnr } from '../../../workers/evaluation/sqnr.ts';
import { Value } from '../../../workers/onnx/graph.ts';
import { readModel } from '../../../workers/onnx/read.ts';
import { Tensor } from '../../../workers/onnx/tensor.ts';
import { parseText } from '../../../workers/onnx/text.ts';
import { writeModel } from '../../../workers/onnx/write.ts';
import { bindTask } from '../../../workers/tasks/registry.ts';
import { trainCellClassifier } from '../../helpers/cell-classifier.ts';
import { expectFigures, statedFigures } from '../../helpers/expected-figures.ts';
import { yolov8 } from '../../helpers/head-models.ts';
import { testFolder, writeTree } from '../../helpers/image-folder.ts';
import { NO_SHARED_DATA, sharedData } from '../../helpers/shared-data.ts';

const images = { 'a.jpg': 'image', 'b.jpg': 'image', 'c.jpg': 'image' } as const;

async function folderOf(files: Readonly<Record<string, string | Uint8Array>>) {
  const root = await testFolder();
  await writeTree(root, files);
  return openDataset(root);
}

test('an evaluation keeps what was said of each image, in order, and counts progress', async () => {
  const { splits } = await folderOf(images);
  const model = yolov8();
  const seen: number[] = [];

  const result = await evaluate(model, bindTask(model), splits.train, {
    onProgress: (done, total) => seen.push(done / total),
  });

  expect(result).toMatchObject({ images: 2, metrics: {}, warnings: [] });
  expect(result.predictions.map((p) => [p.sample.name, p.width, p.height])).toEqual([
    ['a.jpg', 32, 24],
    ['b.jpg', 32, 24],
  ]);
  expect(seen).toEqual([0.5, 1]);
});

test('an unreadable image stops the evaluation by name', async () => {
  const { splits } = await folderOf({ ...images, 'b.jpg': 'no image' });
  const model = yolov8();

  await expect(evaluate(model, bindTask(model), splits.train)).rejects.toMatchObject({
    code: 'IMAGE_UNREADABLE',
    facts: { file: 'b.jpg' },
  });
});

test('labels beyond the classes of the model are refused', async () => {
  const { splits } = await folderOf({
    'images/a.jpg': 'image',
    'images/b.jpg': 'image',
    'labels/a.txt': '5 0.5 0.5 0.1 0.1\n',
  });
  const model = yolov8({ classes: 3 });

  await expect(evaluate(model, bindTask(model), splits.train)).rejects.toMatchObject({
    code: 'CLASSES_DIFFER',
    facts: { model: 3, dataset: 6 },
  });
});

test('labels of another kind are pointed out, not compared', async () => {
  const { splits } = await folderOf({ 'a/1.jpg': 'image', 'b/2.jpg': 'image', 'b/3.jpg': 'image' });
  const model = yolov8();

  expect(await evaluate(model, bindTask(model), splits.train)).toMatchObject({
    metrics: {},
    warnings: [expect.stringContaining('no boxes')],
  });
});

test('a model that takes and returns float16 is fed and read', async () => {
  const { splits } = await folderOf(images);
  const model = parseText(`(float16[N, 3, 8, 8] x) => (float16[N, 3] y) {
    p = GlobalAveragePool(x)
    y = Flatten(p)
  }`);
  const binding = bindTask(model);

  const { predictions } = await evaluate(model, binding, splits.train);

  expect(binding).toMatchObject({ task: 'classify', input: { dtype: 'float16' } });
  const [first] = predictions;
  const scores = first!.prediction.kind === 'classes' ? [...first!.prediction.scores] : [];
  expect(scores.every((s) => Number.isFinite(s))).toBe(true);
  expect(new Set(scores).size).toBeGreaterThan(1);
});

test('cancelling stops between images', async () => {
  const { splits } = await folderOf(images);
  const model = yolov8();
  const stop = new AbortController();

  const running = evaluate(model, bindTask(model), splits.train, {
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('cancelled')),
  });

  await expect(running).rejects.toThrow('cancelled');
});

test('a detector whose scores are all equal is found out, with images and without', async () => {
  const model = yolov8();
  for (const value of model.graph.initializers.filter((v) => /^c\d_w$/.test(v.name))) {
    const { dims, size } = value.constant!;
    value.constant = Tensor.float32(dims, new Float32Array(size));
  }
  const { splits } = await folderOf(images);
  const binding = bindTask(model);

  const { warnings } = await evaluate(model, binding, splits.train);

  expect(warnings).toEqual([expect.stringContaining("Every class score of output 'y' is 0.5")]);
  expect(await findBrokenScores(writeModel(model), binding)).toEqual(warnings);
  expect(await findBrokenScores(writeModel(yolov8()), binding)).toEqual([]);
});

test('the SQNR of a model against itself is infinite, part by part', async () => {
  const { splits } = await folderOf(images);
  const model = yolov8();
  const bytes = writeModel(model);

  expect(await outputSqnr(bytes, bytes, bindTask(model), splits.train)).toEqual([
    { output: 'y', part: 'boxes', db: Number.POSITIVE_INFINITY },
    { output: 'y', part: 'scores', db: Number.POSITIVE_INFINITY },
  ]);
});

test('the SQNR of doubled scores is 0 dB, and that of the boxes beside them infinite', async () => {
  const { splits } = await folderOf(images);
  const model = yolov8();
  const doubled = yolov8();
  const scores = doubled.graph.nodes.at(-1)!.inputs[1]!;
  const twice = new Value('twice', scores.type);
  const node = { name: 'double', op: 'Add', domain: '', attributes: {} };
  doubled.graph.nodes.splice(-1, 0, { ...node, inputs: [scores, scores], outputs: [twice] });
  doubled.graph.nodes.at(-1)!.inputs[1] = twice;

  const found = await outputSqnr(
    writeModel(model),
    writeModel(doubled),
    bindTask(model),
    splits.train,
  );

  expect(found.map(({ part, db }) => [part, Number(db.toFixed(6))])).toEqual([
    ['boxes', Number.POSITIVE_INFINITY],
    ['scores', 0],
  ]);
});

test('a generic model is compared output by output', async () => {
  const { splits } = await folderOf(images);
  const model = yolov8();
  const binding = bindTask(model, { task: 'generic' });

  const result = await evaluate(model, binding, splits.train);

  expect(result.predictions[0]!.prediction).toMatchObject({
    kind: 'tensors',
    outputs: { y: { dims: [1, 7, 84] } },
  });
  expect(agreement(result, result, binding)).toBe(1);
});

const data = sharedData();
const cells = data?.datasets.find(
  (d) =>
    d.shippable && d.task === 'detect' && d.splits.includes('train') && d.splits.includes('val'),
);

test.skipIf(!cells)('a classifier trained on cell crops tells them apart', async () => {
  const { model, data, classes } = await trainCellClassifier(cells!.path, await testFolder());
  const binding = bindTask(readModel(model));
  const dataset = await openDataset(data);

  const { metrics, perClass } = await evaluate(model, binding, dataset.splits.val);

  expect(binding).toMatchObject({ task: 'classify', headline: 'top1', classes });
  expect(metrics['top1']).toBeGreaterThan(0.9);
  expect(perClass!.map((c) => c.name)).toEqual(classes);
});

const figures = statedFigures(data).sort((a, b) => a.bytes - b.bytes || a.images - b.images);
const [smallest] = figures;

test.skipIf(!smallest)(
  `figures equal those of pycocotools${smallest ? '' : `: ${NO_SHARED_DATA}`}`,
  async () => {
    const sameModel = figures.filter(
      (f) => f.model === smallest!.model && f.data === smallest!.data,
    );
    for (const stated of sameModel) await expectFigures(stated);
  },
);

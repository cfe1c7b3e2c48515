import { expect, test } from 'vitest';

import { stringOf } from '../../../workers/onnx/attributes.ts';
import { probeCases } from '../../../workers/runtime/probe-graphs.ts';
import { chooseProvider, PROVIDERS, probeProvider } from '../../../workers/runtime/providers.ts';
import { openSession } from '../../../workers/runtime/session.ts';

test('auto finds one that works', async () => {
  const provider = await chooseProvider('auto');

  expect(PROVIDERS.filter((p) => p !== 'auto')).toContain(provider);
  expect(await probeProvider(provider)).toMatchObject({ ok: true });
});

test('cpu needs no probe', async () => {
  expect(await chooseProvider('cpu')).toBe('cpu');
});

test('a name that is none is refused with the valid ones', async () => {
  await expect(chooseProvider('gpu')).rejects.toMatchObject({
    code: 'PROVIDER_UNKNOWN',
    message: expect.stringContaining('tensorrt, cuda, webgpu, cpu'),
  });
});

test.each(['tensorrt', 'cuda', 'webgpu'] as const)(
  '%s works here or is refused by name, without harm to this process',
  async (provider) => {
    const { ok } = await probeProvider(provider);

    const chosen = chooseProvider(provider);

    if (ok) expect(await chosen).toBe(provider);
    else
      await expect(chosen).rejects.toMatchObject({
        code: expect.stringMatching(/^(PROVIDER_UNAVAILABLE|PROVIDER_WRONG)$/),
        facts: { provider, why: expect.stringMatching(/./) },
      });
  },
);

test('the probe graphs run, and their outputs tell inputs apart', async () => {
  for (const { model, feeds } of probeCases()) {
    const session = await openSession(model);
    for (const { data } of Object.values(await session.run(feeds))) {
      const values = Array.from(data, Number);
      expect(values.every(Number.isFinite)).toBe(true);
      expect(new Set(values).size).toBeGreaterThan(values.length / 4);
    }
  }
});

test('what training adds is probed: indices of maxima, adding scatter, depth to space and back, their gradients', () => {
  const probe = probeCases().find(({ name }) => name === 'gradients')!;
  const { nodes, outputs } = probe.model.graph;
  const ops = new Set(nodes.map((n) => n.op));
  const pool = nodes.find((n) => n.op === 'MaxPool')!;
  const adding = nodes.filter((n) => stringOf(n, 'reduction', 'none') === 'add').map((n) => n.op);

  expect([...ops]).toEqual(
    expect.arrayContaining(['Conv', 'Sigmoid', 'Resize', 'DepthToSpace', 'MatMul', 'Pad']),
  );
  expect(pool.outputs).toHaveLength(2);
  expect(adding).toContain('ScatterElements');
  expect(outputs).toHaveLength(4);
});

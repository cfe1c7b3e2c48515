import { expect, test } from 'vitest';

import { type ColourShift, shiftColours } from '../../../../workers/data/augment/colours.ts';

function shifted(rgb: Uint8Array, shift: ColourShift): Uint8Array {
  const copy = Uint8Array.from(rgb);
  shiftColours(copy, shift);
  return copy;
}

const NONE = { hue: 0, saturation: 1, value: 1 };

/** Every colour of an even grid over the cube. */
const grid = (steps: number): Uint8Array => {
  const levels = Array.from({ length: steps }, (_, i) => Math.round((255 * i) / (steps - 1)));
  return Uint8Array.from(
    levels.flatMap((r) => levels.flatMap((g) => levels.flatMap((b) => [r, g, b]))),
  );
};

test('no shift changes no colour', () => {
  expect(shifted(grid(18), NONE)).toEqual(grid(18));
});

test.each([
  ['a third of the circle: red to green', { hue: 1 / 3 }, [255, 0, 0], [0, 255, 0]],
  ['two thirds: red to blue', { hue: 2 / 3 }, [255, 0, 0], [0, 0, 255]],
  ['a third back: red to blue', { hue: -1 / 3 }, [255, 0, 0], [0, 0, 255]],
  ['half: yellow to blue', { hue: 1 / 2 }, [200, 200, 0], [0, 0, 200]],
  ['a twelfth: red to orange', { hue: 1 / 12 }, [200, 0, 0], [200, 100, 0]],
  ['gray has no hue', { hue: 0.4 }, [90, 90, 90], [90, 90, 90]],
  ['half the brightness', { value: 0.5 }, [200, 100, 50], [100, 50, 25]],
  ['brightness ends at white', { value: 2 }, [200, 100, 0], [255, 128, 0]],
  ['no saturation: gray of the strongest', { saturation: 0 }, [200, 100, 50], [200, 200, 200]],
  ['half the saturation', { saturation: 0.5 }, [200, 100, 50], [200, 150, 125]],
  ['saturation ends at 1', { saturation: 3 }, [200, 100, 50], [200, 67, 0]],
  ['black stays black', { hue: 0.2, saturation: 1.5, value: 1.4 }, [0, 0, 0], [0, 0, 0]],
])('%s', (_, shift, from, to) => {
  expect([...shifted(Uint8Array.from(from), { ...NONE, ...shift })]).toEqual(to);
});

test('six turns of a sixth come back to where they began', () => {
  const pure = Uint8Array.from([250, 10, 10, 10, 130, 250, 250, 250, 10]);
  let turned: Uint8Array = pure;
  for (let i = 0; i < 6; i++) turned = shifted(turned, { ...NONE, hue: 1 / 6 });
  expect(turned).toEqual(pure);
});

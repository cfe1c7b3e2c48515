/** @file The command that repeats a server's job survives a shell. */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

import { repeatCommand, shellWord } from '../../../workers/report/command.ts';

const words = ['plain/path.onnx', 'two words', "it's", '$HOME `id` "x" \\', '', 'a\nb', '--data'];

test.each(words)('a shell reads the word %j as it was', (word) => {
  const { stdout } = spawnSync('sh', ['-c', `printf %s ${shellWord(word)}`], { encoding: 'utf8' });

  expect(stdout).toBe(word);
});

test('the body reaches curl unchanged, with the key only where one is set', () => {
  const spec = { model: 'sha256:1', labels: { owner: "O'Brien $USER" } };
  const script = `curl() { for a; do printf '%s\\0' "$a"; done; }; ${repeatCommand(spec)}`;
  const args = (env: NodeJS.ProcessEnv) =>
    spawnSync('sh', ['-c', script], { encoding: 'utf8', env }).stdout.split('\0');

  const plain = args({ LATHE_URL: 'http://x' });
  const keyed = args({ LATHE_URL: 'http://x', LATHE_API_KEY: 'k 1' });

  expect(plain[1]).toBe('http://x/v1/jobs');
  expect(JSON.parse(plain[plain.indexOf('-d') + 1]!)).toEqual(spec);
  expect(plain.join()).not.toContain('authorization');
  expect(keyed).toContain('authorization: Bearer k 1');
});

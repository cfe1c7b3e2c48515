#!/usr/bin/env node
/** @file The `lathe` command. What a model could take down with it runs in a process of its own. */

import { EXIT } from './exit-codes.ts';
import { mayCrash, runApart } from './isolation.ts';

const argv = process.argv.slice(2);
// Whoever read our words has closed the pipe (`lathe inspect M | head -1`): nothing is left to say.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
});
const exit = mayCrash(argv)
  ? await runApart(argv)
  : await (await import('./program.ts')).runProgram(argv);
// serve and worker go on until they are told to stop; what failed must not linger on an open connection.
if (exit === EXIT.done) process.exitCode = exit;
else process.exit(exit);

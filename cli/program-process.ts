/** @file The child of `lathe` for commands that hand a model to native code. */

import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';

process.on('disconnect', () => process.exit(EXIT.interrupted)); // the parent is gone
process.channel?.unref();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? EXIT.done : EXIT.failed);
});
process.exit(await runProgram(process.argv.slice(2)));

/** @file Preloaded into servers that a script starts (`node --import`): they stop when the script is gone, even if it was killed. */

process.on('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref(); // the listener alone would keep the process alive

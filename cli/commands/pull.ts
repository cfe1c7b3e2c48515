import { client } from '../client.ts';
import type { CliCommand } from '../command.ts';
import { download } from '../download.ts';
import { EXIT } from '../exit-codes.ts';

export const pull: CliCommand = {
  summary:
    "download a job's artifacts: model.onnx, report.json, report.html, metrics.jsonl, stages/",
  arguments: '<job>',
  options: (command) => command.requiredOption('--out <folder>', 'where they go'),
  async run([id], { out }, io) {
    const files = await download(client(), id!, String(out));
    io.result({ files }, files.join('\n'));
    return EXIT.done;
  },
};

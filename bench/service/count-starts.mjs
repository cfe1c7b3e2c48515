/**
 * @file Loaded into workers, and by them into their children: each child writes down that it has started, and each stage
 * that it begins. The file is the `log` of this module's address: children get nothing by their environment.
 */

import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';

const log = new URL(import.meta.url).searchParams.get('log');

if (/job-process\.[jt]s$/.test(process.argv[1] ?? '')) {
  const write = fs.writeSync;
  const job = basename(process.cwd()); // <job id>-<attempt>
  const note = (what) => fs.appendFileSync(log, `${job} ${what}\n`);
  note('start');
  fs.writeSync = (descriptor, data, ...rest) => {
    for (const line of descriptor === 3 ? String(data).split('\n') : []) {
      if (!line.includes('"type":"stage"') || !line.includes('"running"')) continue;
      note(`stage ${JSON.parse(line).index}`);
    }
    return write(descriptor, data, ...rest);
  };
  syncBuiltinESMExports();
}

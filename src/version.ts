/** @file Which Lathe this is. */

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** From the package.json above this file: sources and dist/ lie at different depths. */
export function ownVersion(folder = import.meta.dirname): string {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return ownVersion(dirname(folder));
  const { name, version } = JSON.parse(readFileSync(file, 'utf8'));
  return name ? version : ownVersion(dirname(folder));
}

/** Where this package lies. Bundling keeps the code that runs here directly in dist/, as deep as it is in lib/. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const packageRoot = dirname(dirname(fileURLToPath(import.meta.url)));

/** A program of the package that is started as a process of its own. */
export function programFile(name: string): string {
  return join(packageRoot, 'dist', name);
}

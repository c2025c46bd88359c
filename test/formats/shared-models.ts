import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Real model files for development; a checkout of this repository alone does not have them. */
const directory = fileURLToPath(new URL('../../../shared/models/', import.meta.url));

export const hasSharedModels = existsSync(directory);

export const skipNote = hasSharedModels ? '' : ' (skipped: ../shared/models is not there)';

export function sharedModel(path: string): string {
  return directory + path;
}

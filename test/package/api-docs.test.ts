import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repositoryRoot } from '../support/shared.js';

it('every public symbol is documented, and every link in the comments leads somewhere', () => {
  const typedoc = join(repositoryRoot, 'node_modules', 'typedoc', 'bin', 'typedoc');
  const result = spawnSync(process.execPath, [typedoc, '--emit', 'none', '--logLevel', 'Warn'], {
    cwd: repositoryRoot,
    encoding: 'utf8',
  });
  expect({ status: result.status, output: result.stdout + result.stderr }).toEqual({ status: 0, output: '' });
});

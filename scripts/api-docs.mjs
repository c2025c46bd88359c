// npm run docs: the API documentation into docs/api (not under version control), from the comments in lib/.
// Fails if a public symbol has none.
import { join } from 'node:path';
import { installDependencies, root, run, runScript } from './setup.mjs';

await runScript(() => {
  installDependencies();
  const typedoc = join(root, 'node_modules', 'typedoc', 'bin', 'typedoc');
  run(process.execPath, [typedoc, ...process.argv.slice(2)], {
    failure: 'some comments are missing or wrong; see above',
  });
  if (process.argv.length === 2) console.log('docs/api/index.html');
});

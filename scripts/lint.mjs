// npm run lint (check) and npm run format (fix): Biome on TypeScript, JavaScript and JSON, clang-format on C++.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { installDependencies, root, runScript } from './setup.mjs';

const fix = process.argv.includes('--fix');

function tool(script, args) {
  return spawnSync(process.execPath, [join(root, 'node_modules', script), ...args], { cwd: root, stdio: 'inherit' });
}

await runScript(() => {
  installDependencies();
  const biome = tool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', ...(fix ? ['--write'] : [])]);

  const sources = ['native', 'scripts', 'test/native'].flatMap((directory) =>
    readdirSync(join(root, directory), { recursive: true })
      .filter((name) => /\.(cc|h)$/.test(name))
      .map((name) => join(directory, name)),
  );
  const clangFormat = tool('clang-format/index.js', [...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...sources]);

  const failed = [biome, clangFormat].some((result) => result.status !== 0);
  if (failed)
    console.error(fix ? 'error: some problems need a hand' : 'error: lint failed (npm run format fixes layout)');
  else console.log(`lint: ${sources.length} C++ files and all of lib, test and scripts are clean`);
  process.exitCode = failed ? 1 : 0;
});

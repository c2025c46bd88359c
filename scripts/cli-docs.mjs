// node scripts/cli-docs.mjs [--no-build]: writes docs/CLI.md from the help texts; a test compares the two.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setUp } from './build.mjs';
import { root, runScript, SetupError } from './setup.mjs';

/** Help as it is printed where there is no terminal: 80 columns. */
function help(...command) {
  const args = [join(root, 'dist', 'cli.js'), ...command, '--help'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', cwd: root });
  if (status !== 0) throw new SetupError(`the help of ${command.join(' ') || 'mobilenetv2'} failed: ${stderr}`);
  return stdout.trimEnd();
}

/** The text of docs/CLI.md, for the program that is in dist/. */
export function cliDocument() {
  const main = help();
  const listed = /^Commands:\n((?: {2,}.*\n?)+)/m.exec(main)?.[1] ?? '';
  const commands = [...listed.matchAll(/^ {2}([a-z]\S*)/gm)].map(([, name]) => name).filter((name) => name !== 'help');
  const block = (text) => `\`\`\`text\n${text}\n\`\`\`\n`;
  return [
    '# Command line\n',
    'Made from the help texts by `node scripts/cli-docs.mjs`; change those, then run it again. In a clone, `node dist/cli.js`',
    'is the program; `npm run table` has its own help at the top of `scripts/table/index.mjs`.\n',
    block(main),
    ...commands.flatMap((name) => [`## ${name}\n`, block(help(name))]),
  ].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await runScript(async () => {
    if (!process.argv.includes('--no-build')) await setUp();
    writeFileSync(join(root, 'docs', 'CLI.md'), cliDocument());
  });
}

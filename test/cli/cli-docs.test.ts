import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repositoryRoot } from '../support/shared.js';
import { runCli } from './run-cli.js';

describe('docs/CLI.md', () => {
  it('is what the help texts say: node scripts/cli-docs.mjs writes it', async () => {
    const { cliDocument } = (await import(join(repositoryRoot, 'scripts', 'cli-docs.mjs'))) as {
      cliDocument(): string;
    };
    expect(readFileSync(join(repositoryRoot, 'docs', 'CLI.md'), 'utf8')).toBe(cliDocument());
  });

  it('has a section, with an example, for every command', async () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'CLI.md'), 'utf8');
    const { stdout } = await runCli(['--help']);
    const commands = [...(stdout.split('Commands:')[1] ?? '').matchAll(/^ {2}([a-z]\S*)/gm)].map(([, name]) => name);
    expect(commands).toEqual(expect.arrayContaining(['classify', 'fetch', 'bench', 'inspect']));
    for (const name of commands.filter((command) => command !== 'help' && !command?.startsWith('MOBILENET'))) {
      expect(text.split(`## ${name}\n`)[1], name).toContain(`$ mobilenetv2 ${name} `);
    }
  });
});

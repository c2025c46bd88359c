import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preprocessRecipes } from '../../lib/index.js';
import { modelNames } from '../../lib/models.js';
import { runCli } from '../cli/run-cli.js';
import { repositoryRoot } from '../support/shared.js';

const read = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8');
const readme = read('README.md');

/** First cells of the table whose header begins with `header`. */
function firstColumn(header: string): string[] {
  const lines = readme.split('\n');
  const start = lines.findIndex((line) => line.startsWith(`| ${header} |`));
  const rows = lines.slice(start + 2, lines.indexOf('', start));
  return rows.map((row) => row.split('|')[1]?.trim().replaceAll('`', '') ?? '');
}

describe('README', () => {
  it('lists every error code', () => {
    const union = read('lib/errors.ts').split('export class')[0] ?? '';
    const codes = [...union.matchAll(/\| '([A-Z_]+)'/g)].map(([, code]) => code);
    expect(codes.length).toBeGreaterThan(10);
    expect(firstColumn('code').sort()).toEqual(codes.sort());
  });

  it('gives each error code the exit code it has', () => {
    const constants = new Map<string, string>();
    const source = read('lib/cli/errors.ts');
    for (const [, name, value] of source.matchAll(/const (EXIT_\w+) = (\d+);/g)) constants.set(name ?? '', value ?? '');
    const inSource = [...source.matchAll(/^ {2}([A-Z_]+): (EXIT_\w+),/gm)].map(
      ([, code, exit]) => `${code} ${constants.get(exit ?? '')}`,
    );
    const inReadme = [...readme.matchAll(/^\| `([A-Z_]+)` \|.*\| (\d) \|$/gm)].map(
      ([, code, exit]) => `${code} ${exit}`,
    );
    expect(inReadme.sort()).toEqual(inSource.sort());
  });

  it('and the help of classify name every recipe and model', async () => {
    const { stdout } = await runCli(['classify', '--help']);
    const recipes = preprocessRecipes.map(({ name }) => name);
    expect(firstColumn('recipe').sort()).toEqual(recipes.sort());
    for (const name of [...recipes, ...modelNames]) expect(stdout).toContain(name);
    for (const name of modelNames) expect(readme).toContain(`\`${name}\``);
  });

  it('and the other documents link to files that exist', () => {
    for (const document of ['README.md', 'CONTRIBUTING.md', 'docs/ARCHITECTURE.md', 'SECURITY.md', 'CHANGELOG.md']) {
      for (const [, link = ''] of read(document).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
        expect(() => read(join(document, '..', link)), `${document} links to ${link}`).not.toThrow();
      }
    }
  });
});

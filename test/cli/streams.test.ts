/** Output that nobody takes or that has no room, result files, and what is refused before a measurement. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, runCli } from './run-cli.js';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const SMALL = ['bench', '--arch', 'mobilenet_v2:0.35:32', '--threads', '1', '--runs', '5', '--warmup', '0'];
const posix = process.platform !== 'win32';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-streams-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Exit code of the command line while a shell redirects its streams. */
function inShell(args: readonly string[], redirection: string) {
  const quoted = [process.execPath, cli, ...args].map((each) => `'${each}'`).join(' ');
  return spawnSync('bash', ['-c', `set -o pipefail; ${quoted} ${redirection}`], { cwd: root, encoding: 'utf8' });
}

describe.skipIf(!posix)('standard output', () => {
  it.skipIf(process.platform !== 'linux')('without room is one line and exit code 3', () => {
    const { status, stderr } = inShell(SMALL, '> /dev/full');
    expect(stderr).toMatch(/^error \[OUTPUT\]: standard output: ENOSPC.*\n$/);
    expect(status).toBe(3);
  });

  it('that is closed ends quietly, and files are written nevertheless', async () => {
    const file = join(directory, 'saved.json');
    const child = spawn(process.execPath, [cli, ...SMALL, '--csv', '--save', file], { cwd: root });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(readFileSync(file, 'utf8')).reports).toHaveLength(1);
  });

  it('standard error that is closed leaves the exit code', async () => {
    const child = spawn(process.execPath, [cli, 'bench', '--model', '/nowhere'], { cwd: root });
    child.stderr.destroy();
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(3);
  });
});

describe('result files', () => {
  it('are put in place whole, through links, and leave nothing else behind', async () => {
    const [folder, file] = [join(directory, 'links'), join(directory, 'links', 'runs.json')];
    execFileSync(process.execPath, ['-e', `fs.mkdirSync(${JSON.stringify(folder)})`]);
    writeFileSync(file, 'old');
    if (posix) symlinkSync(file, join(folder, 'link.json'));
    expect((await runCli([...SMALL, '--save', posix ? join(folder, 'link.json') : file])).status).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8')).reports).toHaveLength(1);
    expect(readdirSync(folder).sort()).toEqual(posix ? ['link.json', 'runs.json'] : ['runs.json']);
  });

  it.skipIf(!posix)('may be a device, which stays one', async () => {
    expect((await runCli([...SMALL, '--save', '/dev/null'])).status).toBe(0);
    expect(execFileSync('stat', ['-c', '%F', '/dev/null'], { encoding: 'utf8' })).toMatch(/character/);
  });

  it.each(['--save', '--report'])('%s: what cannot be written is told before anything is measured', async (option) => {
    for (const path of [directory, join(directory, 'none', 'file')]) {
      const result = await runCli([...SMALL, '--runs', '1000000000', option, path]); // would take for ever
      expect(result).toMatchObject({ status: 2, stdout: '' });
      expect(result.stderr).toContain(`error [INVALID_ARGUMENT]: ${option} ${path}: `);
    }
  });
});

describe('what is refused', () => {
  it.skipIf(!posix).each(['--against', '--labels'])('%s that is a named pipe', async (option) => {
    const pipe = join(directory, `pipe${option}`);
    execFileSync('mkfifo', [pipe]);
    const classify = ['classify', 'x.png', '--model', 'nsfwjs'];
    const result = await runCli([...(option === '--against' ? SMALL : classify), option, pipe]);
    expect(result).toMatchObject({ status: 3, stdout: '' });
    expect(result.stderr).toMatch(/^error \[FILE_NOT_FOUND\]: .*is no regular file\n$/);
  });

  it.each([
    [['--model', '/nowhere', '--cold', '1'], 3, /^error \[FILE_NOT_FOUND\]: \/nowhere: /],
    [['--model', 'nsfwjs', '--precision', 'int8', '--cold', '1'], 2, /^error \[INVALID_ARGUMENT\]: .*is a float model/],
    [
      ['--arch', 'mobilenet_v2:1:224', '--batch', '99999999'],
      2,
      /^error \[INVALID_ARGUMENT\]: --batch 99999999: 1 such/,
    ],
  ])('bench %j', async (args, status, message) => {
    const result = await runCli(['bench', ...args]);
    expect(result).toMatchObject({ status, stdout: '', stderr: expect.stringMatching(message) });
  });

  it('bench: batches in flight count together', async () => {
    const result = await runCli(['bench', '--arch', 'mobilenet_v2:1:224', '--batch', '10', '--concurrency', '9999999']);
    expect(result).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/9999999 such batches/) });
  });
});

// npm test: sets up what is missing, runs the native tests and vitest, and closes with one line that counts both.
//
//   npm test                      everything
//   npm test -- test/formats      vitest's files whose path contains this; the native tests are left out
//   npm test -- --no-native       vitest only
//   npm test -- --no-build        on what is built already
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setUp } from './build.mjs';
import { root, runScript, SetupError } from './setup.mjs';

/** How a process ended that spawnSync ran. */
function endOf({ error, signal, status }) {
  return error?.message ?? (signal ? `signal ${signal}` : `status ${status}`);
}

/** Runs build/bin/native_tests, whose last line is `native: P passed, F failed, S skipped`. */
function runNativeTests() {
  const executable = join(root, 'build', 'bin', process.platform === 'win32' ? 'native_tests.exe' : 'native_tests');
  const result = spawnSync(executable, [], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 });
  process.stdout.write(result.stdout ?? '');
  process.stderr.write(result.stderr ?? '');
  const counts = result.stdout?.match(/^native: (\d+) passed, (\d+) failed, (\d+) skipped\s*$/m);
  const summary = {
    passed: Number(counts?.[1] ?? 0),
    failed: Number(counts?.[2] ?? 0),
    skipped: Number(counts?.[3] ?? 0),
    failures: Array.from(result.stdout?.matchAll(/^ {2}FAILED +(.*)$/gm) ?? [], ([, name]) => `native_tests > ${name}`),
  };
  // A crash, or a runner that says nothing, must not pass for zero failures.
  if (!counts || (result.status !== 0 && summary.failed === 0)) {
    summary.failures.push(`native_tests ended with ${endOf(result)}${counts ? '' : ' and without its closing line'}`);
    summary.failed++;
  }
  return summary;
}

function runVitest(args) {
  const directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-test-'));
  const summaryFile = join(directory, 'summary.json');
  const reporter = join(root, 'scripts', 'summary-reporter.mjs');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const result = spawnSync(process.execPath, [vitest, 'run', '--reporter=default', `--reporter=${reporter}`, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, MOBILENETV2_TEST_SUMMARY: summaryFile },
  });
  let summary = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
  try {
    summary = JSON.parse(readFileSync(summaryFile, 'utf8'));
  } catch {
    // vitest ended before its reporters did; its own message is above
  }
  if (result.status !== 0 && summary.failed === 0) {
    summary.failed = 1;
    summary.failures.push(`vitest ended with ${endOf(result)} and without a failed test`);
  }
  rmSync(directory, { recursive: true });
  return summary;
}

await runScript(async () => {
  const flags = process.argv.slice(2).filter((arg) => ['--no-native', '--no-build'].includes(arg));
  const vitestArgs = process.argv.slice(2).filter((arg) => !flags.includes(arg));
  const withNative = vitestArgs.length === 0 && !flags.includes('--no-native');
  try {
    if (!flags.includes('--no-build'))
      await setUp({ nativeTargets: ['mobilenetv2', ...(withNative ? ['native_tests'] : [])] });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`\nerror: ${error.message}`);
    console.log('0 passed, 1 failed, 0 skipped');
    process.exitCode = 1;
    return;
  }

  const native = withNative ? runNativeTests() : { passed: 0, failed: 0, skipped: 0, failures: [] };
  const vitest = runVitest(vitestArgs);

  const reasons = new Map();
  for (const reason of vitest.skips) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  for (const [reason, count] of reasons) console.log(`skipped${count > 1 ? ` (${count} tests)` : ''}: ${reason}`);

  // Once more and last: of a long log often only the end is kept.
  for (const failure of [...native.failures, ...vitest.failures]) console.log(`failed: ${failure}`);

  const total = (key) => native[key] + vitest[key];
  console.log(`${total('passed')} passed, ${total('failed')} failed, ${total('skipped')} skipped`);
  process.exitCode = total('failed') > 0 ? 1 : 0;
});

// A vitest reporter beside the human one: writes the counts, the reasons of skips and of failures where scripts/test.mjs
// reads them.
import { writeFileSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';

/** Lines of a failure that are kept: vitest prints it whole. */
const LONGEST = 30;

export default class SummaryReporter {
  onInit(vitest) {
    this.wanted = vitest.config.testNamePattern;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: 0, skipped: 0, skips: [], failures: [] };
    const fail = (where, error) => {
      summary.failed++;
      const text = [error?.message ?? String(error), error?.diff ?? ''].join('\n').trimEnd();
      const lines = stripVTControlCharacters(text).split('\n').slice(0, LONGEST);
      summary.failures.push(`${where}: ${lines.join('\n    ')}`);
    };
    // A file that cannot be loaded and an error outside any test are failures too.
    for (const error of unhandledErrors) fail('outside any test', error);
    for (const module of modules) {
      const file = module.relativeModuleId;
      for (const error of module.errors()) fail(file, error);
      for (const suite of module.children.allSuites())
        for (const error of suite.errors()) fail(`${file} > ${suite.fullName}`, error);
      for (const test of module.children.allTests()) {
        const { state, note, errors } = test.result();
        if (state === 'passed') summary.passed++;
        else if (state === 'failed') fail(`${file} > ${test.fullName}`, errors[0]);
        else if (!this.wanted || this.wanted.test(test.fullName)) {
          summary.skipped++;
          // A reason is given to skip(), or in the title, where skipIf() can only put it.
          summary.skips.push(note ?? test.fullName.match(/\(skipped: (.*?)\)( |$)/)?.[1] ?? test.fullName);
        }
      }
    }
    writeFileSync(process.env.MOBILENETV2_TEST_SUMMARY, JSON.stringify(summary));
  }
}

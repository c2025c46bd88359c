// A vitest reporter beside the human one: writes the counts and the reasons of skips where scripts/test.mjs reads them.
import { writeFileSync } from 'node:fs';

export default class SummaryReporter {
  onInit(vitest) {
    this.wanted = vitest.config.testNamePattern;
  }

  onTestRunEnd(modules, unhandledErrors) {
    const summary = { passed: 0, failed: 0, skipped: 0, skips: [] };
    // A file that cannot be loaded and an error outside any test are failures too.
    summary.failed += unhandledErrors.length;
    for (const module of modules) {
      summary.failed += module.errors().length;
      for (const suite of module.children.allSuites()) summary.failed += suite.errors().length;
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state === 'passed') summary.passed++;
        else if (state === 'failed') summary.failed++;
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

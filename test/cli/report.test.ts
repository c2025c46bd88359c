import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { html } from '../../lib/tools/report/page.js';
import { runCli } from './run-cli.js';

const browserPath = [
  process.env.CHROMIUM,
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
].find((path) => path && existsSync(path));

let directory: string;
let file: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mobilenetv2-report-'));
  file = join(directory, 'report.html');
  const sweep = ['--threads', '1,2', '--batch', '1,2', '--runs', '20', '--precision', 'int8'];
  const result = await runCli(['bench', '--arch', 'mobilenet_v2:0.35:96', ...sweep, '--report', file]);
  expect(result).toMatchObject({ status: 0, stderr: '' });
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true }));

describe('bench --report', () => {
  it('is one file that loads nothing', () => {
    const text = readFileSync(file, 'utf8');
    expect(
      text.match(/(src|href)="(?!#)[^"]*"|@import|url\((?!#)/g)?.filter((use) => !use.includes('xmlns')) ?? [],
    ).toEqual([]);
    expect(text).not.toContain('<script');
  });

  it('a browser shows every chart and the tables, in full width, without asking for anything else', async ({
    skip,
  }) => {
    if (browserPath === undefined) skip('no Chromium here: apt-get install chromium, or CHROMIUM=path');
    const browser = await chromium.launch({ executablePath: browserPath as string, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
      const problems: string[] = [];
      page.on('pageerror', (error) => problems.push(String(error)));
      page.on('console', (message) => problems.push(message.text()));
      page.on('request', (request) => {
        if (!request.url().startsWith('file:')) problems.push(request.url());
      });
      await page.goto(pathToFileURL(file).href);
      expect(problems).toEqual([]);
      expect(await page.title()).toContain('mobilenet_v2');
      await expectCharts(page);
      expect(await page.locator('#comparison tbody tr').count()).toBe(4);
      expect(await page.locator('#profile-0 tbody tr').count()).toBeGreaterThan(20);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      expect((await page.screenshot({ fullPage: true })).length).toBeGreaterThan(50_000);
    } finally {
      await browser.close();
    }
  });

  it('names the command that installs a package that is missing', async () => {
    const { loadOptional } = await import('../../lib/tools/optional-package.js');
    await expect(loadOptional('no-such-package-of-charts', '--report')).rejects.toMatchObject({
      code: 'PACKAGE_MISSING',
      message: '--report needs the package no-such-package-of-charts: npm install no-such-package-of-charts',
    });
  });

  it('tells a file that cannot be written', async () => {
    const args = [
      'bench',
      '--arch',
      'mobilenet_v2:0.35:96',
      '--runs',
      '1',
      '--report',
      join(directory, 'no', 'r.html'),
    ];
    expect(await runCli(args)).toMatchObject({ status: 2, stderr: expect.stringContaining('--report') });
  });

  it('escapes what comes from files', () => {
    expect(html`<p title="${'a"b'}">${'<script>'}${html`<b>${1}</b>`}${null}</p>`.text).toBe(
      '<p title="a&quot;b">&lt;script&gt;<b>1</b></p>',
    );
  });
});

/** Each drawn, inside the page, and with marks in it. */
async function expectCharts(page: Page): Promise<void> {
  const charts = ['latency-0', 'latency-3', 'threads', 'batch', 'roofline-0', 'arena'];
  for (const id of charts) {
    const svg = page.locator(`#${id} figure svg`);
    const box = await svg.boundingBox();
    expect(box?.width, id).toBeGreaterThan(600);
    expect(box?.height, id).toBeGreaterThan(200);
    expect(await svg.locator('path').count(), id).toBeGreaterThan(5);
    expect(await svg.locator('text').count(), id).toBeGreaterThan(5);
  }
  // A point per operator that multiplies and differs from its neighbour, each with its number.
  const labels = await page.locator('#roofline-0 svg text').allTextContents();
  expect(labels).toEqual(expect.arrayContaining(['1', '2', '3']));
}
